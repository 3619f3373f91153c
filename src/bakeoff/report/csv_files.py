"""results.csv, one row per case, and the study's own files."""

import io
from collections.abc import Iterable, Mapping, Sequence

from bakeoff.judge.results import Results
from bakeoff.records import Scenario, Status, file_name
from bakeoff.report import flat

STUDY_COLUMNS = ("model_name", "bs", "bs_time", "fps")
"""of the 2019 study's `<engine>_model_speed_experiments.csv`"""


def to_csv(results: Results) -> str:
    """results.csv: every scalar of every case; empty where there is no figure."""
    table = flat.summary(results)
    return _csv(flat.names(table)[1:], (row[1:] for row in table.rows))


def study_files(results: Results) -> Mapping[str, str]:
    """File name -> text, for each engine of the run. `bs_time` is mean seconds per batch, `fps` is bs / bs_time.

    None under load, which the study did not have. An engine without a figure has its file with the header alone, so
    that no older file of its name is taken for this run's.
    """
    plan = results.run.plan
    if plan.scenario is not Scenario.LATENCY:
        return {}
    lines: dict[str, list[tuple[object, ...]]] = {name: [] for name in plan.names}
    for row in results.rows:
        if row.status is Status.OK and row.fps:
            size = row.case.batch_size
            lines[row.case.contender.name].append((row.case.model, size, size / row.fps, row.fps))
    return {f"{file_name(name)}_model_speed_experiments.csv": _csv(STUDY_COLUMNS, of) for name, of in lines.items()}


def _csv(header: Sequence[str], lines: Iterable[Iterable[object]]) -> str:
    text = io.StringIO()
    flat.write_csv(header, lines, text)
    return text.getvalue()
