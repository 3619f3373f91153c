"""A run as the study's document asks about it: cells, rounds, and ratios paired by round."""

from itertools import chain
from statistics import geometric_mean, median

from bakeoff.errors import UsageError
from bakeoff.judge.case.disturbance import counted
from bakeoff.judge.case.summary import throughput
from bakeoff.judge.figures.statistics import geometric_mean_interval
from bakeoff.judge.results import Results
from bakeoff.records import INDIFFERENCE, Record, Status, Summary, Trial
from bakeoff.report.study.published import MODELS
from bakeoff.scorecards import Change

ENOUGH_ROUNDS = 5
"""a row with fewer is provisional"""


class Ratio(Record, frozen=True):
    """How many times the throughput of one engine is another's: the geometric mean over the rounds that both have."""

    value: float
    interval: tuple[float, float] | None
    """95%, of this ratio alone; None below two common rounds"""
    rounds: int
    indifference: float = INDIFFERENCE

    @property
    def outcome(self) -> Change:
        """Faster or slower where the interval lies beyond the indifference, equivalent inside it, else undecided."""
        margin = 1 + self.indifference
        if self.interval is None:
            return Change.UNDECIDED
        low, high = self.interval
        if low > margin:
            return Change.FASTER
        if high < 1 / margin:
            return Change.SLOWER
        return Change.EQUIVALENT if low >= 1 / margin and high <= margin else Change.UNDECIDED


Cell = tuple[str, str, int]
"""engine, model, batch size"""


class StudyResults:
    """A run's results, by engine, model and batch size. Speeds exist only of cells whose row is ok."""

    def __init__(self, results: Results) -> None:
        """Raises `UsageError` if the run has none of the study's networks."""
        run = results.run
        if not set(MODELS) & set(run.plan.models):
            raise UsageError(
                f"run {run.name} did not race {' or '.join(MODELS)}, the study's networks",
                "`bakeoff study` races them",
            )
        self.run, self.indifference = run, results.indifference
        self.summaries = [row for row in results.rows if row.case.model in MODELS]
        self.engines = frozenset(run.plan.names)
        self.batch_sizes = tuple(sorted(run.plan.batch_sizes))
        self.models = tuple(model for model in MODELS if model in run.plan.models)
        self._rows = {cell_of(row): row for row in self.summaries}
        self._speeds: dict[Cell, dict[int, float]] = {}
        self._speeds_by_median: dict[Cell, list[float]] = {}
        for trial in counted(results.trials):
            cell = cell_of(trial)
            raced = trial.round and not trial.profile
            if raced and trial.status is Status.OK and trial.measurement and self.is_ok(*cell):
                speed = throughput(trial.case.batch_size, trial.measurement)
                self._speeds.setdefault(cell, {})[trial.round] = speed
                latency = median(chain.from_iterable(trial.measurement.latencies))
                self._speeds_by_median.setdefault(cell, []).append(trial.case.batch_size / latency)

    def row(self, engine: str, model: str, batch_size: int) -> Summary | None:
        """The summary of a cell; None if it is not in this run."""
        return self._rows.get((engine, model, batch_size))

    def rows_of(self, engine: str) -> list[Summary]:
        """Every row of an engine; none if it is not in this run."""
        return [row for row in self.summaries if row.case.contender.name == engine]

    def is_ok(self, engine: str, model: str, batch_size: int) -> bool:
        """Whether a cell has a speed."""
        row = self.row(engine, model, batch_size)
        return row is not None and row.status is Status.OK and row.fps is not None

    def ranked_fps(self, engine: str, model: str, batch_size: int) -> float | None:
        """The speed of a cell, unless it is ranked in another league than the one asked for."""
        row = self.row(engine, model, batch_size)
        return row.fps if row is not None and row.league == row.case.contender.precision else None

    def by_median(self, engine: str, model: str, batch_size: int) -> float | None:
        """Images per second from each trial's median latency, the geometric mean over trials; None without a speed."""
        speeds = self._speeds_by_median.get((engine, model, batch_size))
        return geometric_mean(speeds) if speeds else None

    def rounds(self, engine: str, model: str, batch_size: int) -> int:
        """In how many rounds a cell was measured."""
        return len(self._speeds.get((engine, model, batch_size), {}))

    def ratio(self, engine: str, base: str, model: str, batch_size: int) -> Ratio | None:
        """Throughput of `engine` / that of `base`, paired by round; None without a round in common, or if they are
        ranked in different leagues.
        """
        leagues = {row.league for name in (engine, base) if (row := self.row(name, model, batch_size))}
        if len(leagues) > 1:
            return None
        ours = self._speeds.get((engine, model, batch_size), {})
        theirs = self._speeds.get((base, model, batch_size), {})
        common = sorted(ours.keys() & theirs.keys())
        if not common:
            return None
        value, interval = geometric_mean_interval([ours[round_] / theirs[round_] for round_ in common])
        return Ratio(value=value, interval=interval, rounds=len(common), indifference=self.indifference)

    def version(self, engine: str) -> str:
        """The framework's version as its workers gave it; "" if none ever did."""
        return next((row.framework_version for row in self.rows_of(engine) if row.framework_version), "")

    def release(self, engine: str) -> str:
        """Of which release an engine is: "2019" or "today"; "" if it is not in this run."""
        return next((info.release for info in self.run.engines if info.name == engine), "")


def cell_of(thing: Summary | Trial) -> Cell:
    """Where a row or trial belongs."""
    return thing.case.contender.name, thing.case.model, thing.case.batch_size
