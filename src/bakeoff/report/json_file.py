"""results.json, as `results.schema.json` describes it."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import msgspec

from bakeoff.records import CanaryFigure, Load, Plan, RunRecord, Summary
from bakeoff.report.command import command_line

SCHEMA = "bakeoff-results/2"
"""Changes with every change that a reader could trip over."""


def to_json(run: RunRecord, rows: Sequence[Summary], canary: Sequence[CanaryFigure] = ()) -> str:
    """The whole file, indented. What is not a number (NaN, infinite) becomes null."""
    releases = {engine.name: engine.release for engine in run.engines}
    document = {
        "schema": SCHEMA,
        "run": _run(run),
        "machine": dict(run.machine),
        "cases": [_case(row, releases.get(row.case.contender.build, "")) for row in rows],
        "canary": canary,
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode()


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


def _case(row: Summary, release: str) -> dict[str, Any]:
    return {
        "contender": row.case.contender,
        "engine": row.case.contender.engine,
        "framework_version": row.framework_version,
        "release": release,
        "model": row.case.model,
        "batch_size": row.case.batch_size,
        "threads": row.case.contender.threads,
        "precision": row.case.contender.precision,
        "device": row.case.contender.device,
        "league": row.league,
        "status": row.status,
        "reason": row.reason,
        "requested": row.requested,
        "effective": row.effective,
        "fps": row.fps,
        "fps_ci95": row.fps_ci95,
        "latency_ms": row.latency_ms,
        "load_s": row.load_s,
        "first_inference_s": row.first_inference_s,
        "peak_rss_mb": row.peak_rss_mb,
        "cores_used": row.cores_used,
        "parity": {
            "max_rel_error": row.parity.max_rel_error if row.parity else None,
            "top1_agreement": row.parity.top1_agreement if row.parity else None,
        },
        "accuracy": row.accuracy,
        "trials": row.trials,
        "cautions": row.cautions,
    } | ({"load": _load(row.load)} if row.load else {})


def _load(load: Load) -> dict[str, Any]:
    return {
        "scenario": load.scenario,
        "instances": load.instances,
        "threads_each": load.threads,
        "queries": load.queries,
        "bound_ms": None if load.bound_s is None else load.bound_s * 1e3,
        "p99_ms": None if load.p99_s is None else load.p99_s * 1e3,
    }
