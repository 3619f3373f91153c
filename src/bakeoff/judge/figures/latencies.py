"""How the latencies of each case are spread."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from bakeoff.judge.case.disturbance import counted
from bakeoff.judge.figures.statistics import quantile
from bakeoff.records import Case, Latencies, Status, Summary, Trial


def spreads(rows: Sequence[Summary], trials: Sequence[Trial]) -> list[Latencies]:
    """One for each row with a speed, in their order: of its profile trial, or else of the trials that its figures rest
    on, whose latencies come in short bursts.
    """
    profiles = _by_case(trial for trial in trials if trial.profile)
    raced = _by_case(counted(trials))
    found = []
    for row in rows:
        latencies = profiles.get(row.case) or raced.get(row.case)
        if row.fps is not None and latencies:
            found.append(_spread(row.case, latencies, profiled=row.case in profiles))
    return found


def _by_case(trials: Iterable[Trial]) -> dict[Case, list[float]]:
    found: dict[Case, list[float]] = defaultdict(list)
    for trial in trials:
        if trial.status is Status.OK and trial.measurement:
            found[trial.case] += [latency for burst in trial.measurement.latencies for latency in burst]
    return {case: latencies for case, latencies in found.items() if latencies}


def _spread(case: Case, seconds: Sequence[float], *, profiled: bool) -> Latencies:
    ordered = sorted(seconds)
    p5, p25, p50, p75, p95 = (quantile(ordered, percent / 100) * 1e3 for percent in (5, 25, 50, 75, 95))
    return Latencies(case=case, p5=p5, p25=p25, p50=p50, p75=p75, p95=p95, count=len(ordered), profiled=profiled)
