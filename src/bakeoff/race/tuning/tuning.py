"""`tune`: search the settings of a model's engines, then race the best few again, and believe that race alone.

The largest of many noisy figures is too large, however each was measured: it is the one with the luckiest noise. So
the search only says whom to confirm. It is a race of all points, whose rules drop the beaten; of a large space, it
races those that Optuna proposes, batch by batch, and then the best of these together. The confirmation is a run of its
own, in fresh processes and rounds, with each engine's default beside the candidates.
"""

import math
from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from bakeoff.engines.catalogue import Catalogue
from bakeoff.errors import UsageError
from bakeoff.judge.results import Results
from bakeoff.judge.table.verdict import log_throughputs
from bakeoff.judge.tuning import points as judged
from bakeoff.judge.tuning.answer import answer, confirm, sentence
from bakeoff.judge.tuning.found import LeftOut, Point, Tuned
from bakeoff.judge.tuning.limits import SLACK, unfit
from bakeoff.race.asking.machine import Machine
from bakeoff.race.asking.plan import make_plan
from bakeoff.race.race import Observer, Outcome, nobody, start
from bakeoff.race.race import resume as resume_race
from bakeoff.race.tuning.proposing import FAILED, Proposer
from bakeoff.race.tuning.space import NARROW, counted, sizes, space
from bakeoff.records import Limits, Request, RunRecord, Scenario, SearchRequest, Trial
from bakeoff.report.files import write_texts
from bakeoff.report.tuning import to_json, to_markdown
from bakeoff.store import Store

OBJECTIVES = {"latency": Scenario.LATENCY, "throughput": Scenario.OFFLINE}
BUDGET_S = 30 * 60.0
WHOLE = 60
"""points that are raced all together; of more, some are proposed"""
SEARCH = 0.6
"""of the budget"""
PROPOSING = 0.4
"""of the budget, of that, where points are proposed"""
BATCH, ROUNDS = 12, 2
"""points that are proposed at once, and their rounds"""
FINALISTS = 12
"""proposed points that are raced once more together, before the confirmation"""
REST = 0.05
"""half-width of the interval of a beaten contender's ratio to the leader, before the confirmation drops it: a default
is beaten early, and by how much is what was asked"""
SEARCH_TAG, TAG = "tune-search", "tune"


@dataclass
class Search:
    """A search on its way: its runs, and what they tell so far."""

    asked: SearchRequest
    points: dict[str, Point]
    catalogue: Catalogue
    machine: Machine
    store: Store
    output: Path
    observer: Observer
    runs: list[Results] = field(default_factory=list)
    table: dict[str, dict[Hashable, float]] = field(default_factory=dict)
    """contender -> run and round -> log throughput"""
    unfit: dict[str, str] = field(default_factory=dict)
    """why points are no candidates"""
    interrupted: bool = False

    def race(self, names: Sequence[str], budget_s: float, rounds: int | None = None) -> Outcome:
        """Race these points in a run of its own, and learn from it."""
        outcome = self._start(names, budget_s, SEARCH_TAG, rounds=rounds, bursts=1)
        self.learn(outcome.results)
        return outcome

    def resume(self, run: RunRecord, *, strict: bool, more_s: float) -> Outcome:
        """Go on with one of the search's runs, and learn from it if it is no confirmation."""
        out = nobody if is_confirmation(run) else self._out
        outcome = resume_race(
            run.name, self.catalogue, self.store, self.output, self.observer, strict=strict, more_s=more_s, out=out
        )
        if not is_confirmation(run):
            self.learn(outcome.results)
        return outcome

    def learn(self, results: Results) -> None:
        """Take in what a run of the search measured."""
        self.interrupted = results.run.state == "interrupted"
        reasons = unfit(results, self.points, self.asked.limits, SLACK)
        self.runs.append(results)
        self.unfit |= reasons
        fair = {row.case for row in results.rows if row.fps and row.league == row.case.contender.precision}
        logs = log_throughputs(trial for trial in results.trials if trial.case in fair)
        for name, by_round in logs.items():
            self.table.setdefault(name, {}).update(
                {(results.run.name, number): log for number, log in by_round.items()}
            )

    def confirm(self, names: Sequence[str], budget_s: float) -> Outcome:
        """Race these contenders afresh, for figures to print."""
        return self._start(names, budget_s, TAG, rounds=self.asked.request.rounds, bursts=self.asked.request.bursts)

    def _start(self, names: Sequence[str], budget_s: float, tag: str, **how: int | None) -> Outcome:
        search = msgspec.structs.replace(self.asked, before=tuple(each.run.name for each in self.runs))
        request = msgspec.structs.replace(
            self.asked.request, engines=tuple(names), settings={}, release=None, exclude=(), budget_s=budget_s, **how
        )
        request = msgspec.structs.replace(
            request, tags=(tag, *request.tags) if tag == TAG else (tag,), profile=False, search=search
        )
        plan = make_plan(request, self.catalogue, self.machine)
        if tag == TAG:
            plan = msgspec.structs.replace(plan, target_ci_rest=max(plan.target_ci, REST))
        out = self._out if tag == SEARCH_TAG else nobody
        return start(plan, self.catalogue, self.store, self.output, self.observer, out=out)

    def _out(self, run: RunRecord, trials: Sequence[Trial]) -> Collection[str]:
        """Points that cannot be an answer, but for defaults, which all are compared with."""
        if not trials:
            return ()
        reasons = unfit(Results(run, trials), self.points, self.asked.limits, SLACK)
        return {name for name in reasons if not self.points[name].is_default}

    @property
    def values(self) -> dict[str, float]:
        """Of the points that have a speed, over that of the first default."""
        found = judged.values(self.table)
        reference = found.get(next(iter(self.points)), 0.0)
        return {name: value - reference for name, value in found.items()}

    @property
    def worth(self) -> dict[str, float]:
        """The same for the proposer, to whom points that are no candidates are slow."""
        return self.values | dict.fromkeys(self.unfit, FAILED)

    def best(self, most: int) -> list[str]:
        """The names of the best candidates so far."""
        return judged.best_few([*self.points.values()], self.values, self.unfit, most)


def is_confirmation(run: RunRecord) -> bool:
    """Whether a run of a search is its last one, whose figures are printed."""
    return TAG in run.tags


@dataclass(frozen=True)
class Tuning:
    """How tuning ended."""

    said: Tuned | None
    """None where nothing was confirmed"""
    outcome: Outcome
    """of the confirming run, or else of the last of the search"""
    best: tuple[str, ...] = ()
    """the best candidates so far, where nothing was confirmed: the search's, so without figures"""


def tune(
    request: Request,
    objective: str,
    limits: Limits,
    catalogue: Catalogue,
    machine: Machine,
    store: Store,
    output: Path,
    observer: Observer,
) -> Tuning:
    """Search the settings of `request`'s engines on its one model, at its one batch size, and confirm the best few.

    The budget is `request`'s, or half an hour. Raises `UsageError` for what cannot be searched.
    """
    asked = SearchRequest(request=_checked(request, objective, limits), objective=objective, limits=limits)
    search = _begin(asked, catalogue, machine, store, output, observer)
    observer.note(f"searching {len(search.points)} points: {sizes([*search.points.values()])}")
    return _go_on(search)


def resume(
    run: RunRecord,
    asked: SearchRequest,
    catalogue: Catalogue,
    machine: Machine,
    store: Store,
    output: Path,
    observer: Observer,
    *,
    strict: bool = False,
    more_s: float = 0.0,
) -> Tuning:
    """Go on with the search that `run`, of `resumable`, is a step of by its request's `search`, from that step.

    Raises as `resume` of a race does, and `UsageError` where the engines' knobs are no longer what was searched.
    """
    request = msgspec.structs.replace(asked.request, budget_s=(asked.request.budget_s or BUDGET_S) + more_s)
    search = _begin(msgspec.structs.replace(asked, request=request), catalogue, machine, store, output, observer)
    if unknown := [name for name in run.plan.names if name not in search.points]:
        raise UsageError(f"run {run.name} cannot go on: {unknown[0]} is no setting any more", "Start a new search.")
    for name in asked.before:
        search.learn(Results(store.run(name), store.trials(name)))
    outcome = search.resume(run, strict=strict, more_s=more_s)
    return _go_on(search, outcome)


def _begin(
    asked: SearchRequest, catalogue: Catalogue, machine: Machine, store: Store, output: Path, observer: Observer
) -> Search:
    points = space(asked.request, catalogue, machine)
    points = counted(points) if asked.request.scenario == Scenario.OFFLINE else points
    return Search(asked, {point.name: point for point in points}, catalogue, machine, store, output, observer)


def _go_on(search: Search, last: Outcome | None = None) -> Tuning:
    """The steps that follow `last`, or else all: propose and race, race the best together, confirm."""
    budget_s = search.asked.request.budget_s or BUDGET_S
    points = [*search.points.values()]
    defaults = [point.name for point in points if point.is_default]
    clock = _Clock(search)
    if last and is_confirmation(last.results.run):
        outcome = last
    else:
        names = [*search.points]
        batches = not last or last.results.run.plan.rounds == ROUNDS  # else the last one raced the best together
        if len(points) > WHOLE and batches and not search.interrupted:
            count = f"the space has {len(points)} points ({sizes(points)})"
            reason = f"{count}, and at most {WHOLE} are raced whole; {NARROW}"
            proposer = Proposer(points, search.asked.request.seed, reason, search.worth)
            last = _propose(search, proposer, defaults[0], PROPOSING * budget_s, clock)
            names = [*defaults, *search.best(FINALISTS)]
        if not search.interrupted and (not last or (batches and len(points) > WHOLE)):
            last = search.race(names, max(1.0, SEARCH * budget_s - clock.spent_s))
        chosen = search.best(judged.BEST)
        if search.interrupted and last:
            return Tuning(None, last, tuple(chosen))
        search.observer.note(f"confirming {', '.join(chosen) or 'the defaults'}")
        outcome = search.confirm([*defaults, *chosen], max(1.0, budget_s - clock.spent_s))
    said = _said(search, outcome.results)
    if not outcome.unwritten:
        write_texts(outcome.folder, {"tune.json": to_json(said), "tune.md": to_markdown(said)})
    if any(row.fps for row in outcome.results.rows):
        return Tuning(said, outcome)
    return Tuning(None, outcome, tuple(search.best(judged.BEST)))


@dataclass(frozen=True)
class _Clock:
    """The time that a search's races have taken."""

    search: Search

    @property
    def spent_s(self) -> float:
        return sum(results.run.elapsed_s for results in self.search.runs)


def _propose(search: Search, proposer: Proposer, reference: str, until_s: float, clock: _Clock) -> Outcome:
    """Race what is proposed, each batch beside `reference`, until the time holds no further batch; the last outcome."""
    longest = 0.0
    while True:
        batch = [point.name for point in proposer.propose(BATCH, {reference: 0.0} | search.worth)]
        before = clock.spent_s
        outcome = search.race([reference, *batch], max(1.0, until_s - before), ROUNDS)
        proposer.tell(batch, search.worth)
        if reference not in search.table:
            row = next(row for row in outcome.results.rows if row.case.contender.name == reference)
            raise UsageError(f"{reference} is what every point is held against, and has no speed: {row.reason}")
        longest = max(longest, clock.spent_s - before)
        if search.interrupted or not batch or clock.spent_s + longest > until_s:
            return outcome


def _checked(request: Request, objective: str, limits: Limits) -> Request:
    if objective not in OBJECTIVES:
        raise UsageError(f"no objective is called {objective!r}: {', '.join(OBJECTIVES)}")
    if len(request.models) != 1:
        raise UsageError("tune one model: the best settings of one are not another's")
    if len(request.batch_sizes) > 1:
        raise UsageError("tune at one batch size: the best settings at one are not another's")
    if request.budget_s is not None and not 0 < request.budget_s < math.inf:
        raise UsageError(f"budget: {request.budget_s!r} is no number of seconds above 0")
    if objective == "throughput" and (limits.memory_mb or limits.start_s):
        raise UsageError("--max-memory and --max-start: under load neither is measured", "take --objective latency")
    return msgspec.structs.replace(
        request, scenario=OBJECTIVES[objective], batch_sizes=request.batch_sizes or (1,), quick=False
    )


def _said(search: Search, results: Results) -> Tuned:
    confirmed, comparison = confirm(results, search.points, search.asked.limits)
    chosen = answer(confirmed, comparison)
    values = search.values
    plan = results.run.plan
    return Tuned(
        model=plan.models[0],
        objective=search.asked.objective,
        batch_size=plan.sizes(plan.models[0])[0],
        indifference=results.indifference,
        limits=search.asked.limits,
        sentence=sentence(chosen, confirmed, comparison, "ms" if search.asked.objective == "latency" else "samples/s"),
        answer=chosen.point.name if chosen else None,
        confirmed=tuple(confirmed),
        effects=tuple(judged.effects([*search.points.values()], values)),
        left_out=tuple(LeftOut(name=name, reason=reason) for name, reason in search.unfit.items()),
        points=len(search.points),
        raced=len(values),
        searched=tuple(each.run.name for each in search.runs),
        run=results.run.name,
        state=results.run.state,
    )
