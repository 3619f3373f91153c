"""Everything that a report says of a run, gathered from the store."""

from collections.abc import Callable

from bakeoff import paths
from bakeoff.engines.catalogue import Catalogue
from bakeoff.errors import UsageError
from bakeoff.judge.figures import peak
from bakeoff.judge.figures.break_even import break_even
from bakeoff.judge.figures.latencies import spreads
from bakeoff.judge.figures.timeline import timeline
from bakeoff.judge.results import Results
from bakeoff.models.library import ModelLibrary
from bakeoff.race.stored import peak as machine_peak
from bakeoff.race.stored.recipes import recipe_of, winners
from bakeoff.records import Scenario
from bakeoff.report.insights import RunReport
from bakeoff.store import Store


def gather(
    name: str, store: Store, catalogue: Catalogue, say: Callable[[str], None], indifference: float | None = None
) -> RunReport:
    """The report of the run that `name` means. Raises `StoreError` if there is none, `UsageError` if it was under load.

    The machine's peak is measured if it never was and this is that machine, see `bakeoff.race.stored.peak`; `say` gets
    a line then.
    """
    run = store.run(name)
    if run.plan.scenario is not Scenario.LATENCY:
        raise UsageError(
            f"run {run.name} is of the {run.plan.scenario} scenario: a report is of single-stream latencies",
            f"`bakeoff show {run.name} --format md` has its table",
        )
    results = Results(run, store.trials(run.name), indifference)
    rows, trials = results.rows, results.trials
    best, why_no_peak = machine_peak.of_run(run, catalogue, say)
    library = ModelLibrary(paths.cache_dir())
    return RunReport(
        results=results,
        latencies=tuple(spreads(rows, trials)),
        heats=tuple(timeline(run, trials)),
        break_even=tuple(break_even(rows, trials)),
        peak=best,
        why_no_peak=why_no_peak,
        peak_shares=tuple(peak.shares(run, rows, best)),
        recipes=tuple(recipe_of(run, row, store, catalogue, library) for row in winners(results)),
    )
