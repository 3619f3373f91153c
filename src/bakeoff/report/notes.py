"""The lines around a table: what to use, what failed and why, what to be careful about, how the machine was."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from bakeoff.judge.results import Results
from bakeoff.records import FLOAT64, Case, Load, RunRecord, Status, Summary
from bakeoff.report import wording


def answers(results: Results) -> list[tuple[str, str]]:
    """Each model, with its league where there are several, and what to use for it."""
    several = len({answer.league for answer in results.answers}) > 1
    found: dict[str, list[tuple[str, str]]] = {row.case.model: [] for row in results.rows}
    for answer in results.answers:
        name = f"{answer.model}, {answer.league}" if several else answer.model
        found[answer.model].append((name, answer.sentence))
    return [said for model, of_model in found.items() for said in of_model or [(model, "nothing was measured")]]


def answer_lines(results: Results) -> list[str]:
    """The same as lines."""
    return [f"{model}: {sentence}" for model, sentence in answers(results)]


def verdict_lines(results: Results) -> list[str]:
    """The verdict on each model and batch size, in the order of the rows; leagues are never mixed in one sentence."""
    several = len({verdict.league for verdict in results.verdicts}) > 1
    sentences: dict[tuple[str, int], list[str]] = {(row.case.model, row.case.batch_size): [] for row in results.rows}
    for verdict in results.verdicts:
        league = f"{verdict.league}: " if several else ""
        sentences[verdict.model, verdict.batch_size].append(f"{league}{verdict.sentence}")
    return [
        f"{model}, batch {batch}: {sentence}"
        for (model, batch), found in sentences.items()
        for sentence in found or ["nothing was measured."]
    ]


def tolerances(run: RunRecord) -> list[str]:
    """What the errors of each model mean; models of which the same is known are named together."""
    alike: dict[str, list[str]] = defaultdict(list)
    for model in run.models:
        against = "" if model.reference == FLOAT64 else f"against {model.reference}, "
        alike[against + wording.tolerances(model.tolerances)].append(model.name)
    return [f"errors on {', '.join(models)}: {text}" for text, models in alike.items()]


def load(rows: Sequence[Summary]) -> list[str]:
    """Under load: for each model, what its figures hold for."""
    of_model: dict[str, list[tuple[str, Load]]] = defaultdict(list)
    for row in rows:
        if row.load:
            of_model[row.case.model].append((row.case.contender.name, row.load))
    return [_load(model, loads) for model, loads in of_model.items()]


def _load(model: str, loads: Sequence[tuple[str, Load]]) -> str:
    bound = loads[0][1].bound_s
    if bound is None:
        split = ", ".join(f"{engine} {found.instances} x {found.threads}" for engine, found in loads)
        return f"{model}, all queries at once; instances x threads: {split}"
    alone = f"{loads[0][1].instances} x {loads[0][1].threads}"
    p99 = ", ".join(f"{engine} {wording.seconds(found.p99_s)}" for engine, found in loads)
    return (
        f"{model}, queries at random, {alone} (instances x threads): the highest rate at which 99% are answered within "
        f"{wording.seconds(bound)} of arriving; 99th percentiles in the last round: {p99}"
    )


def accuracy(run: RunRecord) -> list[str]:
    """What the accuracy is of; nothing if there were no labelled pictures."""
    asked = [f"{model.name} {model.pictures}" for model in run.models if model.pictures]
    return [f"accuracy: labelled pictures whose class scores highest, of {', '.join(asked)}"] if asked else []


def failures(rows: Sequence[Summary]) -> list[str]:
    """What is not ok, and why: one line for each engine and reason, with the cells it holds for and a worker's log."""
    held: dict[tuple[str, Status, str], list[Summary]] = defaultdict(list)
    for row in rows:
        if row.status is not Status.OK:
            held[row.case.contender.name, row.status, wording.one_line(row.reason)].append(row)
    return [
        f"{engine}{_where(engine, [row.case for row in of_reason], rows)}: {wording.status(status)}"
        f"{f': {reason}' if reason else ''}{_log(of_reason)}"
        for (engine, status, reason), of_reason in held.items()
    ]


def _log(rows: Sequence[Summary]) -> str:
    """Where to read more, if a worker came far enough to write something."""
    logs = [row.log for row in rows if row.log and row.status is not Status.UNSUPPORTED]
    return f" (log: {logs[-1]})" if logs else ""


LONGER = "To be surer, race longer or on a quieter machine"
OTHERWISE = "Ran otherwise than asked"
ENGINE = "Look at the engine before you rely on it"
ASKED_OF_READERS = {
    **dict.fromkeys(("canary", "provisional", "disturbed", "spread"), LONGER),
    **dict.fromkeys(("failures", "profile", "leak", "memory", "chatter", "versions", "denormals"), ENGINE),
    **dict.fromkeys(("bimodal", "warm-up", "slowdown", "step", "oscillation", "unsettled"), ENGINE),
}
"""kind of caution, the word before its colon -> what it asks of a reader; all others are about a setting"""


def caution_groups(results: Results) -> list[tuple[str, list[str]]]:
    """Cautions on the run and on its rows, by what they ask of the reader."""
    groups: dict[str, list[str]] = {LONGER: list(results.remarks), OTHERWISE: [], ENGINE: []}
    for kind, lines in _cautions(results.rows).items():
        groups[ASKED_OF_READERS.get(kind, OTHERWISE)] += lines
    return [(title, lines) for title, lines in groups.items() if lines]


def cautions(rows: Sequence[Summary]) -> list[str]:
    """Those of the rows, kind by kind."""
    return [line for lines in _cautions(rows).values() for line in lines]


def _cautions(rows: Sequence[Summary]) -> dict[str, list[str]]:
    """Kind -> a line for each engine, in the words of its first cell.

    Those that hold for the measured table as a whole, as "provisional" mostly does, come as one line for all.
    """
    kinds: dict[str, dict[str, list[Summary]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        for caution in row.cautions:
            kinds[caution.partition(":")[0]][row.case.contender.name].append(row)
    measured = [row for row in rows if row.status is Status.OK]
    lines: dict[str, list[str]] = {}
    for kind, engines in kinds.items():
        held = [row for of_engine in engines.values() for row in of_engine]
        if len(held) == len(measured) and len({_caution(row, kind) for row in held}) == 1:
            lines[kind] = [f"all: {_caution(held[0], kind)}"]
        elif kind == "provisional":
            lines[kind] = [_provisional(engines)]
        else:
            lines[kind] = [_caution_of(engine, kind, held, rows) for engine, held in engines.items()]
    return lines


def findings(run: RunRecord) -> list[str]:
    """What the audit found before the race."""
    return [wording.finding(each) for each in run.audit]


def _caution(row: Summary, kind: str) -> str:
    return next(wording.one_line(text) for text in row.cautions if text.partition(":")[0] == kind)


def _caution_of(engine: str, kind: str, held: Sequence[Summary], rows: Sequence[Summary]) -> str:
    where = _where(engine, [held[0].case], rows)
    more = f" (and {len(held) - 1} more of its cells)" if len(held) > 1 else ""
    return f"{engine}{where}: {_caution(held[0], kind)}{more}"


def _provisional(engines: Mapping[str, Sequence[Summary]]) -> str:
    counts = sorted({row.trials for held in engines.values() for row in held})
    rounds = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    return f"provisional, with {rounds} round{'s' * (rounds != '1')}: {', '.join(engines)}"


def _where(engine: str, cases: Sequence[Case], rows: Sequence[Summary]) -> str:
    """In brackets, as in " (resnet50 batch 1, 2)", or nothing if these are all of the engine's cells."""
    if len(cases) == sum(row.case.contender.name == engine for row in rows):
        return ""
    batches: dict[str, list[str]] = defaultdict(list)
    for case in cases:
        batches[case.model].append(str(case.batch_size))
    named = [f"{model} batch {', '.join(sizes)}" for model, sizes in batches.items()]
    return f" ({'; '.join(named)})"
