"""Records to rows and back."""

import hashlib
import struct
import zlib
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import msgspec

from bakeoff.records import EngineInfo, Finding, ModelRecord, Plan, RunRecord, Trial
from bakeoff.scorecards import EngineSnapshot

AUDIT = "audit"
"""beside the fingerprint's own keys"""

_KEY_LENGTH = 32
_trial = msgspec.msgpack.Decoder(Trial)
_plan = msgspec.json.Decoder(Plan)
_models = msgspec.json.Decoder(tuple[ModelRecord, ...])
_engines = msgspec.json.Decoder(tuple[EngineInfo, ...])
_tags = msgspec.json.Decoder(tuple[str, ...])
_samples = msgspec.msgpack.Decoder(list[bytes])


def run_row(run: RunRecord) -> dict[str, Any]:
    """The columns of a run, its id apart."""
    return {
        "name": run.name,
        "state": run.state,
        "started_at": run.started_at,
        "elapsed_s": run.elapsed_s,
        "bakeoff_version": run.bakeoff_version,
        "plan": to_json(run.plan),
        "machine": machine_json(run.machine, run.audit),
        "models": to_json(run.models),
        "engines": to_json(run.engines),
        "tags": to_json(run.tags),
        "machine_digest": str(run.machine.get("digest") or ""),
    }


def label_rows(run_id: int, run: RunRecord) -> list[dict[str, Any]]:
    """What a run can be asked for by."""
    contenders = run.plan.contenders
    labels = [("engine", name) for contender in contenders for name in (contender.name, contender.engine)]
    labels += [("model", name) for name in run.plan.models]
    labels += [("tag", name) for name in run.tags]
    return [{"kind": kind, "value": value, "run_id": run_id} for kind, value in dict.fromkeys(labels)]


def model_digests(run_row: Any) -> dict[str, str]:
    """Name -> digest of the models of a row of `runs`."""
    return {model.name: model.digest for model in _models.decode(run_row.models)}


def run_record(row: Any) -> RunRecord:
    """The run in a row of `runs`. Raises `msgspec.DecodeError` if the row is damaged."""
    machine, audit = machine_record(row.machine)
    return RunRecord(
        name=row.name,
        started_at=row.started_at,
        plan=_plan.decode(row.plan),
        machine=machine,
        audit=audit,
        bakeoff_version=row.bakeoff_version,
        models=_models.decode(row.models),
        engines=_engines.decode(row.engines),
        state=row.state,
        elapsed_s=row.elapsed_s,
        tags=_tags.decode(row.tags),
    )


def machine_json(machine: Mapping[str, Any], audit: Sequence[Finding]) -> str:
    """A machine's fingerprint and what the audit found of it, in one column; nothing found adds nothing."""
    return to_json({**machine, AUDIT: audit} if audit else machine)


def machine_record(column: str) -> tuple[dict[str, Any], tuple[Finding, ...]]:
    """What `machine_json` wrote; stores from before the audit have none."""
    machine = msgspec.json.decode(column, type=dict[str, Any])
    return machine, msgspec.convert(machine.pop(AUDIT, ()), tuple[Finding, ...])


def trial_row(run_id: int, trial: Trial, model_digest: str) -> dict[str, Any]:
    """The columns of a trial, its id apart: those to search by, the trial whole, and its latencies apart from it."""
    contender, measured = trial.case.contender, trial.measurement
    bare = measured and msgspec.structs.replace(measured, latencies=(), warm_up=())
    return {
        "run_id": run_id,
        "round": trial.round,
        "contender": contender.name,
        "engine": contender.engine,
        "model": trial.case.model,
        "batch_size": trial.case.batch_size,
        "threads": contender.threads or 0,  # as many as the framework takes
        "precision": contender.precision,
        "device": contender.device,
        "status": trial.status.value,
        "reason": trial.reason.replace("\0", "\ufffd"),  # a worker's own words; PostgreSQL's text takes no NUL
        "framework_version": trial.framework_version,
        "started_at": trial.started_at,
        "model_digest": model_digest,
        "environment_digest": trial.environment_digest,
        "key": key_of(trial),
        "record": msgspec.msgpack.encode(msgspec.structs.replace(trial, measurement=bare)),
        "samples": measured and pack_samples(measured.warm_up, measured.latencies),
    }


def key_of(trial: Trial) -> str:
    """What tells a trial from every other of its run: its case, its round and the moment it began."""
    case = trial.case
    name = (trial.round, case.contender.name, case.model, case.batch_size, trial.started_at)
    return hashlib.sha256(msgspec.msgpack.encode(name)).hexdigest()[:_KEY_LENGTH]


def trial_record(row: Any) -> Trial:
    """The trial in a row of `trials`; without latencies where the row was read without its `samples`.

    Raises `msgspec.DecodeError` or `struct.error` if the row is damaged.
    """
    trial = _trial.decode(row.record)
    samples = getattr(row, "samples", None)
    if trial.measurement is None or samples is None:
        return trial
    warm_up, latencies = unpack_samples(samples)
    measured = msgspec.structs.replace(trial.measurement, warm_up=warm_up, latencies=latencies)
    return msgspec.structs.replace(trial, measurement=measured)


def pack_samples(warm_up: tuple[float, ...], bursts: tuple[tuple[float, ...], ...]) -> bytes:
    """Seconds as little-endian float64: a MessagePack list of byte strings, the warm-up first, then each burst."""
    return msgspec.msgpack.encode([struct.pack(f"<{len(part)}d", *part) for part in chain([warm_up], bursts)])


def unpack_samples(blob: bytes) -> tuple[tuple[float, ...], tuple[tuple[float, ...], ...]]:
    """The warm-up and the bursts that `pack_samples` packed."""
    warm_up, *bursts = (struct.unpack(f"<{len(part) // 8}d", part) for part in _samples.decode(blob))
    return warm_up, tuple(bursts)


def snapshot_row(snapshot: EngineSnapshot) -> dict[str, Any]:
    """The columns of an engine as it was."""
    content = snapshot.to_bytes()
    return {"digest": EngineSnapshot.digest_of(content), "content": zlib.compress(content)}


def snapshot_record(content: bytes) -> EngineSnapshot:
    """The engine in a row. Raises `msgspec.DecodeError` or `zlib.error` if the row is damaged."""
    return EngineSnapshot.from_bytes(zlib.decompress(content))


def to_json(value: object) -> str:
    """JSON text of anything that records hold."""
    return msgspec.json.encode(value).decode()
