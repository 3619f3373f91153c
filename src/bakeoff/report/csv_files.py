"""results.csv, one row per case, and the study's own files."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

from bakeoff.records import Load, RunRecord, Scenario, Status, Summary, file_name
from bakeoff.report import wording

STUDY_COLUMNS = ("model_name", "bs", "bs_time", "fps")
"""of the 2019 study's `<engine>_model_speed_experiments.csv`"""


def to_csv(run: RunRecord, rows: Sequence[Summary]) -> str:
    """results.csv: every scalar of every case; empty where there is no figure."""
    found = records(run, rows)
    return _csv(list(found[0]) if found else [], (record.values() for record in found))


def _record(run: RunRecord, row: Summary, release: str) -> dict[str, object]:
    low, high = row.fps_ci95 or (None, None)
    parity = row.parity
    return {
        "contender": row.case.contender.name,
        "engine": row.case.contender.engine,
        "framework_version": row.framework_version,
        "release": release,
        "model": row.case.model,
        "batch_size": row.case.batch_size,
        "threads": row.case.contender.threads,
        "precision": row.case.contender.precision,
        "device": row.case.contender.device,
        "league": row.league,
        "status": row.status.value,
        "reason": wording.one_line(row.reason),
        "fps": row.fps,
        "fps_ci95_low": low,
        "fps_ci95_high": high,
        **{f"latency_{name}_ms": value for name, value in row.latency_ms.items()},
        "load_s": row.load_s,
        "first_inference_s": row.first_inference_s,
        "peak_rss_mb": row.peak_rss_mb,
        "cores_used": row.cores_used,
        "max_rel_error": parity.max_rel_error if parity else None,
        "top1_agreement": parity.top1_agreement if parity else None,
        "accuracy": row.accuracy and row.accuracy.share,
        "trials": row.trials,
        "cautions": "; ".join(map(wording.one_line, row.cautions)),
        **under_load(run, row.load),
    }


def under_load(run: RunRecord, load: Load | None) -> dict[str, object]:
    """The columns that tell how queries came, of a case or of a trial."""
    return {
        "scenario": run.plan.scenario.value,
        "instances": load and load.instances,
        "threads_each": load and load.threads,
        "bound_ms": load and load.bound_s and load.bound_s * 1e3,
        "p99_ms": load and load.p99_s and load.p99_s * 1e3,
    }


def records(run: RunRecord, rows: Sequence[Summary]) -> list[Mapping[str, object]]:
    """The rows of results.csv, each by the names of its columns."""
    releases = {engine.name: engine.release for engine in run.engines}
    return [_record(run, row, releases.get(row.case.contender.build, "")) for row in rows]


def study_files(run: RunRecord, rows: Sequence[Summary]) -> Mapping[str, str]:
    """File name -> text, for each engine of the run. `bs_time` is mean seconds per batch, `fps` is bs / bs_time.

    None under load, which the study did not have. An engine without a figure has its file with the header alone, so
    that no older file of its name is taken for this run's.
    """
    if run.plan.scenario is not Scenario.LATENCY:
        return {}
    return {
        f"{file_name(contender)}_model_speed_experiments.csv": _csv(
            STUDY_COLUMNS,
            (
                (row.case.model, row.case.batch_size, row.case.batch_size / row.fps, row.fps)
                for row in rows
                if row.case.contender.name == contender and row.status is Status.OK and row.fps
            ),
        )
        for contender in run.plan.names
    }


def _csv(header: Sequence[str], lines: Iterable[Iterable[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(lines)
    return text.getvalue()
