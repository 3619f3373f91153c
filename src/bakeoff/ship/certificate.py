"""A pack's certificate: an in-toto statement with the predicate test-result, which says what was measured, and where.

The statement is in-toto's version 1, the predicate its version 0.1 (in-toto/attestation on GitHub, test-result.md).
The figures stand under the key ``bakeoff`` of the predicate, an extension that other readers pass over.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from bakeoff.records import PRECISIONS, ModelRecord, RunRecord, Summary

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://in-toto.io/attestation/test-result/v0.1"


def statement(
    run: RunRecord, row: Summary, model: ModelRecord, digests: Mapping[str, str], answers: str
) -> dict[str, Any]:
    """The certificate of `row`, for a pack of files with these `digests`, with known answers by `answers`."""
    files = {name: {"name": name, "digest": {"sha256": digest}} for name, digest in digests.items()}
    return {
        "_type": STATEMENT,
        "subject": [each for name, each in files.items() if name.startswith("model/")],
        "predicateType": PREDICATE,
        "predicate": {
            "result": "WARNED" if row.cautions else "PASSED",
            "configuration": [files["settings.json"], files["pylock.toml"]],
            "passedTests": ["answers"],
            "warnedTests": list(row.cautions),
            "failedTests": [],
            "bakeoff": measured(run, row, model) | {"known_answers": answers},
        },
    }


def measured(run: RunRecord, row: Summary, model: ModelRecord) -> dict[str, Any]:
    """What the race found of `row`; throughput in samples a second, times in milliseconds."""
    case, parity, accuracy = row.case, row.parity, row.accuracy
    engine = next(engine for engine in run.engines if engine.name == case.contender.build)
    return {
        "version": run.bakeoff_version,
        "run": run.name,
        "started_at": dt.datetime.fromtimestamp(run.started_at, dt.UTC).isoformat(timespec="seconds"),
        "seed": run.plan.seed,
        "model": {"name": model.name, "digest": model.digest, "weights": model.weights},
        "engine": {
            "contender": case.contender.name,
            "title": engine.title,
            "framework_version": row.framework_version,
            "release": engine.release,
        },
        "league": row.league,
        "batch_size": case.batch_size,
        "threads": row.effective.get("threads") or case.contender.threads,
        "error": {
            "measured": parity and parity.max_rel_error,
            "limit": limit(row, model),
            "reference": model.reference,
            "top1_agreement": parity and parity.top1_agreement,
        },
        "accuracy": accuracy and {"right": accuracy.right, "pictures": accuracy.pictures},
        "speed": {
            "samples_per_s": row.fps,
            "ci95": row.fps_ci95,
            "latency_ms": dict(row.latency_ms),
            "trials": row.trials,
        },
        "machine": dict(run.machine),
    }


def limit(row: Summary, model: ModelRecord) -> float:
    """Up to which error an answer is right in the row's league; in one of no precision, as far as the model allows."""
    return float(getattr(model.tolerances, row.league if row.league in PRECISIONS else PRECISIONS[-1]))
