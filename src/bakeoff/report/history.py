"""The runs of a store as a list."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

from bakeoff.records import RunRecord
from bakeoff.report import markup, wording

FEW = 4
"""so many engines are named; more are counted"""


def to_text(runs: Sequence[RunRecord], *, width: int = 100) -> str:
    """One row per run."""
    header = ["run", "began (UTC)", "machine", "models", "engines", "threads", "tags", "state"]
    return markup.as_text(header, [_row(run) for run in runs], width=width, right=(5,)) + "\n"


def to_json(runs: Sequence[RunRecord]) -> str:
    """What can be asked for, per run."""
    return markup.as_json([_record(run) for run in runs])


def _row(run: RunRecord) -> list[str]:
    return [
        run.name,
        wording.date(run).removesuffix(" UTC"),
        str(run.machine.get("digest") or wording.NONE),
        ", ".join(run.plan.models),
        _few(run.plan.names),
        str(run.plan.threads),
        ", ".join(run.tags),
        run.state,
    ]


def _few(names: Sequence[str]) -> str:
    if len(names) <= FEW:
        return ", ".join(names)
    return f"{', '.join(names[: FEW - 1])} and {len(names) - FEW + 1} more"


def _record(run: RunRecord) -> dict[str, Any]:
    return {
        "name": run.name,
        "started_at": dt.datetime.fromtimestamp(run.started_at, dt.UTC).isoformat(timespec="seconds"),
        "machine": run.machine.get("digest"),
        "models": run.plan.models,
        "engines": run.plan.names,
        "batch_sizes": run.plan.batch_sizes,
        "threads": run.plan.threads,
        "tags": run.tags,
        "state": run.state,
        "elapsed_s": run.elapsed_s,
        "bakeoff_version": run.bakeoff_version,
    }
