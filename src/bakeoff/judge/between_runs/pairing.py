"""Which cases of two runs are like with like, which are not and why, and what differs besides."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from bakeoff.judge.between_runs.scorecard import moments
from bakeoff.records import Case, Scenario, Status
from bakeoff.scorecards import Score, Scorecard

HARDWARE = ("cpu", "architecture", "physical_cores", "usable_cpus", "cpu_quota", "instruction_sets", "caches")
"""what decides a machine's speed: with any of it different, drift is not the only thing between two runs"""
SOFTWARE = ("os", "kernel", "governor", "turbo", "memory_limit_bytes", "virtualization")
OF_MACHINES = "the ratios are of the machines with all that is on them, and cannot tell an engine's part in that"
OF_THREADS = (
    "the ratios are of that change, and of what differs between the hours: the canary, where it is used, runs on one "
    "thread, and cannot tell how the hours differed for several"
)
OF_LOAD = "what they took has no bound, so no interval is given there: a rerace, or one race of both, can tell"
"""what a comparison can and cannot tell"""


class Pairs(NamedTuple):
    """Two runs, side by side."""

    cases: tuple[tuple[Score, Score], ...]
    """both measured"""
    lost: tuple[tuple[Score, Score], ...]
    """measured in the first; in the second there, and without a speed"""
    refused: tuple[str, ...]
    notes: tuple[str, ...]
    unlike: tuple[str, ...] = ()
    """threads, machines and load that differ, and what a comparison can and cannot tell for it"""
    cautions: tuple[str, ...] = ()
    """of both runs, on `cases`"""


def pair(before: Scorecard, after: Scorecard, names: Mapping[str, str] | None = None) -> Pairs:
    """Pair the cases of two runs; `names` says which engine of `after` stands against which of `before`, if not its
    namesake.

    A pair has the same engine, model (by name *and* digest), league, batch size, precision and device. Threads may
    differ, if each run has but one number of them: that is what people change, and it is said.
    """
    unlike = _unlike_load(before, after)
    if unlike:
        return Pairs((), (), (unlike,), ())
    digests = [{model.name: model.digest for model in card.models} for card in (before, after)]
    theirs = _by_key(after.scores, lambda case: case.contender.name)
    ours = _by_key(before.scores, lambda case: (names or {}).get(case.contender.name, case.contender.name))
    cases, lost, refused = [], [], []
    for key, scores in ours.items():
        for old, new in _same_threads(scores, theirs.get(key, ())):
            model = old.case.model
            if digests[0].get(model) != digests[1].get(model):
                refused.append(
                    f"{model}: not the same network ({_short(digests[0], model)}, {_short(digests[1], model)})"
                )
            elif old.league != new.league:
                refused.append(f"{case_name(new.case)}: not the same league ({old.league}, {new.league})")
            elif old.status is Status.OK and new.status is Status.OK:
                cases.append((old, new))
            elif old.status is Status.OK:
                lost.append((old, new))
    found = [*cases, *lost]
    machines = tuple(machines_differ(before.machine, after.machine))
    same_machine = same_hardware(before, after)
    sides = [(card, [sides[i] for sides in cases]) for i, card in enumerate((before, after))]
    return Pairs(
        cases=tuple(cases),
        lost=tuple(lost),
        refused=tuple(dict.fromkeys(refused)),
        notes=(*(machines if same_machine else ()), *_differences(found), *_absent(before, after, names or {})),
        unlike=(
            *(() if same_machine else [f"{line}; {OF_MACHINES}" for line in machines]),
            *_threads(found),
            *(line for card, scores in sides for line in _load(card, scores)),
        ),
        cautions=tuple(line for card, scores in sides for line in _cautions(card, scores)),
    )


def same_hardware(before: Scorecard, after: Scorecard) -> bool:
    """Whether both ran on machines that only drift can tell apart."""
    return all(before.machine.get(key) == after.machine.get(key) for key in HARDWARE)


def case_name(case: Case) -> str:
    """``onnxruntime, resnet18, batch 1``."""
    return f"{case.contender.name}, {case.model}, batch {case.batch_size}"


def _unlike_load(before: Scorecard, after: Scorecard) -> str:
    """Why figures of two runs are not of the same kind; "" if they are. A server's default bound is its run's own."""
    then, now = before.plan, after.plan
    if then.scenario != now.scenario:
        return f"not the same scenario ({then.scenario}, {now.scenario})"
    if now.scenario is not Scenario.SERVER or before.name == after.name:
        return ""
    bounds = [plan.latency_bound_s and f"{plan.latency_bound_s * 1e3:g} ms" for plan in (then, now)]
    if None in bounds or bounds[0] != bounds[1]:
        return f"not surely the same latency bound ({bounds[0] or 'a default'}, {bounds[1] or 'a default'})"
    return ""


def _by_key(scores: Iterable[Score], name: Any) -> dict[tuple[Any, ...], list[Score]]:
    found: dict[tuple[Any, ...], list[Score]] = defaultdict(list)
    for score in scores:
        case = score.case
        found[name(case), case.model, case.batch_size, case.contender.precision, case.contender.device].append(score)
    return found


def _same_threads(before: Sequence[Score], after: Sequence[Score]) -> list[tuple[Score, Score]]:
    pairs = [(old, new) for old in before for new in after if old.case.contender.threads == new.case.contender.threads]
    if not pairs and len(before) == len(after) == 1:
        return [(before[0], after[0])]
    return pairs


def machines_differ(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """In what two machines' fingerprints differ, in a line; nothing if they are one and the same."""
    if before.get("digest") == after.get("digest"):
        return []
    hard = [key for key in HARDWARE if before.get(key) != after.get(key)]
    soft = [key for key in SOFTWARE if before.get(key) != after.get(key)]
    if hard:
        return [f"the machines differ: {_facts(hard, before, after)}"]
    what = _facts(soft, before, after) if soft else "something else in its fingerprint"
    return [f"the same machine but for {what}"]


def _facts(keys: Sequence[str], before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    return "; ".join(f"{key.replace('_', ' ')} {_value(before.get(key))}, now {_value(after.get(key))}" for key in keys)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "/".join(map(str, value.values()))
    if isinstance(value, list | tuple):
        return f"{len(value)} of them"
    return "unknown" if value is None else str(value)


def _differences(pairs: Sequence[tuple[Score, Score]]) -> list[str]:
    """Framework versions and environments that changed, once per engine."""
    found: dict[str, None] = {}
    for old, new in pairs:
        if old.framework_version != new.framework_version and old.framework_version and new.framework_version:
            found[f"{new.case.contender.name}: version {old.framework_version}, now {new.framework_version}"] = None
        elif old.environment_digest != new.environment_digest and old.environment_digest and new.environment_digest:
            found[f"{new.case.contender.name}: the same version in another environment (its lock has changed)"] = None
    return [*found]


def _threads(pairs: Sequence[tuple[Score, Score]]) -> list[str]:
    changed = {
        (old.case.contender.threads, new.case.contender.threads): None
        for old, new in pairs
        if old.case.contender.threads != new.case.contender.threads
    }
    own = "the framework's own"
    return [f"threads: {then or own}, now {now or own}; {OF_THREADS}" for then, now in changed]


def _load(card: Scorecard, scores: Sequence[Score]) -> list[str]:
    hit = [score for score in scores if (known := moments(score)) and known.disturbed]
    return [f"load: others used the CPUs in {card.name}, in {_named(hit)}; {OF_LOAD}"] if hit else []


def _cautions(card: Scorecard, scores: Sequence[Score]) -> list[str]:
    """A line for each kind, the word before the colon, in the words of the first case that has it."""
    kinds: dict[str, list[tuple[str, Score]]] = defaultdict(list)
    for score in scores:
        for caution in score.cautions:
            kinds[caution.partition(":")[0]].append((caution, score))
    return [f"{card.name}, {_named([score for _, score in held])}: {held[0][0]}" for held in kinds.values()]


def _named(scores: Sequence[Score]) -> str:
    more = f" (and {len(scores) - 1} more case{'s' * (len(scores) > 2)})" if len(scores) > 1 else ""  # noqa: PLR2004
    return f"{case_name(scores[0].case)}{more}"


def _absent(before: Scorecard, after: Scorecard, names: Mapping[str, str]) -> list[str]:
    """What only one of them raced."""
    found = []
    for what, first, second in (
        ("engine", [names.get(name, name) for name in before.plan.names], after.plan.names),
        ("model", before.plan.models, after.plan.models),
        ("batch size", before.plan.batch_sizes, after.plan.batch_sizes),
    ):
        for card, own, other in ((before, first, second), (after, second, first)):
            only = [str(name) for name in own if name not in other]
            if only and not names:
                found.append(f"only in {card.name}: {what}{'s' * (len(only) > 1)} {', '.join(only)}")
    return found


def _short(digests: Mapping[str, str], model: str) -> str:
    return digests.get(model, "unknown")[:12]
