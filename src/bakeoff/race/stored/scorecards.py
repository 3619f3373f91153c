"""Runs of the past as scorecards: from the store, from a baseline file, or from results.json."""

import base64
import binascii
import datetime as dt
import math
import re
import zlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from bakeoff.errors import StoreError, UsageError
from bakeoff.judge.between_runs.scorecard import from_interval
from bakeoff.judge.case.cautions import rests_on_disturbed
from bakeoff.judge.results import Results
from bakeoff.race.asking.plan import BUILT_IN_WEIGHTS
from bakeoff.records import CanaryFigure, Plan, older
from bakeoff.scorecards import BASELINE_SCHEMA, BASELINE_SCHEMAS, Baseline, CanaryRounds, EngineSnapshot, Scorecard
from bakeoff.store import Store

_DIGEST = re.compile("[0-9a-f]{6,12}")
RESULTS_SCHEMAS = ("bakeoff-results/1", "bakeoff-results/2")


def of_run(store: Store, reference: str) -> Scorecard:
    """The run that `reference` means in `store`."""
    run = store.run(reference)
    return Results(run, store.trials(run.name)).scorecard


def of_anything(store: Store, reference: str) -> Scorecard:
    """A file, a run of the store, or the last run of the machine whose digest so begins; raises as each does."""
    if Path(reference).is_file():
        return from_file(Path(reference)).run
    try:
        return of_run(store, reference)
    except StoreError:
        on_machine = store.history(machine=reference, limit=1) if _DIGEST.fullmatch(reference) else []
        if not on_machine:
            raise
        return of_run(store, on_machine[0].name)


def baseline(store: Store, reference: str) -> Baseline:
    """What a later gate needs of a run, its engines included as far as they were kept."""
    card = of_run(store, reference)
    measured = {score.case.contender.build for score in card.scores if score.rounds}
    kept = {
        engine.name: store.snapshot(engine.snapshot)
        for engine in card.engines
        if engine.snapshot and engine.name in measured
    }
    return Baseline(
        schema=BASELINE_SCHEMA,
        run=msgspec.structs.replace(card, plan=with_relative_paths(card.plan, Path.cwd())),
        snapshots={name: _packed(snapshot) for name, snapshot in kept.items() if snapshot},
    )


def with_relative_paths(plan: Plan, root: Path) -> Plan:
    """The plan for another machine: files below `root`, such as those of a repository, by their path in it."""

    def relative(name: str) -> str:
        path = Path(name)
        return path.relative_to(root).as_posix() if path.is_relative_to(root) else name

    return _with_files(plan, relative)


def with_absolute_paths(plan: Plan, root: Path) -> Plan:
    """The inverse of `with_relative_paths`."""
    return _with_files(plan, lambda name: str(root / name))


def _with_files(plan: Plan, moved: Callable[[str], str]) -> Plan:
    """The plan with each of its files moved, no engine folder, for an engine is known by its snapshot, and no pictures:
    speed alone is compared.
    """
    data = plan.shaping.data
    return msgspec.structs.replace(
        plan,
        request=None,
        engines_dirs=(),
        pictures="",
        weights=plan.weights if plan.weights in BUILT_IN_WEIGHTS else moved(plan.weights),
        python=moved(plan.python) if plan.python else "",
        requirements=moved(plan.requirements) if plan.requirements else "",
        files={name: moved(file) for name, file in plan.files.items()},
        shaping=msgspec.structs.replace(plan.shaping, data=moved(data) if data else ""),
    )


def to_json(found: Baseline) -> str:
    """The file's text: a run to a few kilobytes, and each engine to some ten."""
    return msgspec.json.format(msgspec.json.encode(found), indent=1).decode() + "\n"


def snapshots_of(found: Baseline) -> dict[str, EngineSnapshot]:
    """The engines in a baseline file. Raises `UsageError` if one is damaged."""
    try:
        return {name: _unpacked(text) for name, text in found.snapshots.items()}
    except (binascii.Error, zlib.error, msgspec.DecodeError) as error:
        raise UsageError(f"the baseline of run {found.run.name} is damaged: its engines cannot be read") from error


def from_file(path: Path) -> Baseline:
    """A baseline file, or a results.json as one that lacks single rounds and engines. Raises `UsageError`."""
    try:
        raw = path.read_bytes()
        found = msgspec.json.decode(raw, type=dict[str, Any])
        schema = found.get("schema")
        if schema in BASELINE_SCHEMAS:
            run = found["run"]
            scores = [{**score, "case": older.case(score["case"])} for score in run["scores"]]
            run = {**run, "plan": older.plan(run["plan"]), "scores": scores}
            snapshots = found.get("snapshots", found.get("kits", {}))
            whole = {"schema": BASELINE_SCHEMA, "run": run, "snapshots": snapshots}
            return msgspec.convert(whole, Baseline, str_keys=True)
        if schema in RESULTS_SCHEMAS:
            return Baseline(schema=BASELINE_SCHEMA, run=_from_results(found), snapshots={})
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    except (msgspec.DecodeError, ValueError, ArithmeticError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{path} is no results.json and no baseline of bakeoff's: {error}") from error
    message = f"{path} is no results.json and no baseline that this bakeoff reads (its schema: {schema!r})"
    raise UsageError(message, "`bakeoff baseline` writes one.")


class _Throughput(msgspec.Struct):
    """Of a case of results.json."""

    fps: float | None
    fps_ci95: tuple[float, float] | None
    trials: int
    cautions: tuple[str, ...] = ()
    fps_df: int | None = None


def _from_results(found: Mapping[str, Any]) -> Scorecard:
    """The scorecard in a results.json. Raises `ValueError`, `KeyError` or `TypeError` if there is none."""
    run = found["run"]
    card = {
        **run,
        "started_at": msgspec.convert(run["started_at"], dt.datetime).timestamp(),
        "machine": found["machine"],
        "plan": older.plan(run["plan"]),
        "scores": [_score(row) for row in found["cases"]],
        "canary": _canary(found.get("canary", ())),
    }
    return msgspec.convert(card, Scorecard, str_keys=True)


def _score(row: dict[str, Any]) -> dict[str, Any]:
    case, throughput = older.case(row), msgspec.convert(row, _Throughput)
    figure = throughput.fps_ci95, throughput.trials, throughput.fps_df
    moments = from_interval(throughput.fps, *figure) if throughput.fps else None
    return {
        **{name: row[name] for name in ("status", "reason", "framework_version")},
        "case": case,
        # Empty in files from before leagues followed from outputs.
        "league": row.get("league") or case["contender"]["precision"],
        "moments": moments and msgspec.structs.replace(moments, disturbed=rests_on_disturbed(throughput.cautions)),
        "cautions": throughput.cautions,
    }


def _canary(figures: Sequence[dict[str, Any]]) -> list[CanaryRounds]:
    """Of a heat that was raced again, or in parts, the last figure counts, as of a case in a run."""
    rounds: dict[tuple[str, int, int, int], dict[int, float]] = defaultdict(dict)
    for figure in (msgspec.convert(each, CanaryFigure) for each in figures):
        kind = figure.model, figure.batch_size, figure.threads, figure.version
        rounds[kind][figure.round] = math.log(figure.calls_per_s)
    return [
        CanaryRounds(model=model, batch_size=size, threads=threads, rounds=of_kind, version=version)
        for (model, size, threads, version), of_kind in rounds.items()
    ]


def _packed(snapshot: EngineSnapshot) -> str:
    return base64.b64encode(zlib.compress(snapshot.to_bytes(), 9)).decode()


def _unpacked(text: str) -> EngineSnapshot:
    return EngineSnapshot.from_bytes(zlib.decompress(base64.b64decode(text, validate=True)))
