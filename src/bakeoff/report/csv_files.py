"""results.csv, one row per case, and the study's own files."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

from bakeoff.judge.results import Results
from bakeoff.records import Scenario, Status, file_name
from bakeoff.report import columns, flat

STUDY_COLUMNS = ("model_name", "bs", "bs_time", "fps")
"""of the 2019 study's `<engine>_model_speed_experiments.csv`"""


def to_csv(results: Results) -> str:
    """results.csv: every scalar of every case; empty where there is no figure."""
    _, *of_case = columns.SUMMARY
    table = flat.summary(results)
    return _csv([column.name for column in of_case], (row[1:] for row in table.rows))


def study_files(results: Results) -> Mapping[str, str]:
    """File name -> text, for each engine of the run. `bs_time` is mean seconds per batch, `fps` is bs / bs_time.

    None under load, which the study did not have. An engine without a figure has its file with the header alone, so
    that no older file of its name is taken for this run's.
    """
    plan = results.run.plan
    if plan.scenario is not Scenario.LATENCY:
        return {}
    return {
        f"{file_name(contender)}_model_speed_experiments.csv": _csv(
            STUDY_COLUMNS,
            (
                (row.case.model, row.case.batch_size, row.case.batch_size / row.fps, row.fps)
                for row in results.rows
                if row.case.contender.name == contender and row.status is Status.OK and row.fps
            ),
        )
        for contender in plan.names
    }


def _csv(header: Sequence[str], lines: Iterable[Iterable[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(lines)
    return text.getvalue()
