"""results.json, as `results.schema.json` describes it."""

import datetime as dt
from typing import Any

import msgspec

from bakeoff.judge.results import Results
from bakeoff.records import Plan, RunRecord
from bakeoff.report import columns, flat
from bakeoff.report.columns import OfCase
from bakeoff.report.command import command_line
from bakeoff.report.markup import as_json

SCHEMA = "bakeoff-results/2"
"""Changes with every change that a reader could trip over."""


def to_json(results: Results) -> str:
    """The whole file, indented."""
    document = {
        "schema": SCHEMA,
        "run": _run(results.run),
        "machine": dict(results.run.machine),
        "indifference": results.indifference,
        "answers": results.answers,
        "verdicts": results.verdicts,
        "cases": [_case(of) for of in flat.of_cases(results)],
        "canary": results.canary,
    }
    return as_json(document)


def _run(run: RunRecord) -> dict[str, Any]:
    started = dt.datetime.fromtimestamp(run.started_at, dt.UTC)
    return {
        "name": run.name,
        "started_at": started.isoformat(timespec="seconds"),
        "state": run.state,
        "elapsed_s": run.elapsed_s,
        "bakeoff_version": run.bakeoff_version,
        "command": command_line(run.plan),
        "plan": _plan(run.plan),
        "models": run.models,
        "engines": run.engines,
        "audit": run.audit,
    }


def _plan(plan: Plan) -> dict[str, Any]:
    """With what it had before there were contenders."""
    of_all = {"engines": plan.names, "precision": plan.precision, "device": plan.device}
    return {**msgspec.to_builtins(plan), **of_all}


def _case(of: OfCase) -> dict[str, Any]:
    """Every column at its path, and what is more than one value."""
    row = of.found
    found: dict[str, Any] = {
        "contender": row.case.contender,
        "requested": row.requested,
        "effective": row.effective,
        "fps_ci95": row.fps_ci95,
        "fps_df": row.fps_df,
        "accuracy": row.accuracy,
        "cautions": row.cautions,
    }
    for column in columns.SUMMARY:
        if column.path != "":
            *above, key = (column.path or column.name).split(".")
            inner = found
            for name in above:
                inner = inner.setdefault(name, {})
            inner[key] = column.read(of)
    if row.load is None:
        del found["load"]
    return found
