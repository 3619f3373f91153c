"""Writes a pack: the model, the engine's own code, the lock of what was installed, known answers, the certificate.

What runs in a pack is the adapter that was raced, in the environment that it was raced in. A pack is written aside,
verified by its own verify.py in that environment, and only then put in place.
"""

import functools
import json
import shutil
import string
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import bakeoff
from bakeoff import paths
from bakeoff.engines.catalogue import Catalogue
from bakeoff.engines.snapshot import snapshot_of
from bakeoff.environments import kinds, programs, wheels
from bakeoff.errors import PackError, UsageError
from bakeoff.judge.case.output_error import BESIDE, answer_of
from bakeoff.models import sources
from bakeoff.models.cached import scratch_in
from bakeoff.models.inputs import stack
from bakeoff.models.library import ModelLibrary
from bakeoff.printable import visible
from bakeoff.race.ready.conversion import run_limited
from bakeoff.race.ready.exam import INPUT_SETS, SAMPLES, exam
from bakeoff.race.ready.observer import Observer
from bakeoff.race.ready.prepare import arbiter_of, make_ready
from bakeoff.race.ready.runnable import Runnable
from bakeoff.race.stored.recipes import as_raced, standing_here
from bakeoff.records import FLOAT64, OWN, EngineSpec, ModelRecord, RunRecord, Scenario, Status, Summary, TensorSpec
from bakeoff.ship.certificate import statement
from bakeoff.ship.pack.verify import MANIFEST, sha256
from bakeoff.ship.tensors import encode
from bakeoff.ship.verifying import before_python
from bakeoff.store import Store
from bakeoff.worker.session import THREAD_VARIABLES, spawn_environment, temporary

HOME = Path(bakeoff.__file__).parent
SCRIPTS = ("ship/pack/run.py", "ship/pack/verify.py")
"""what people run, at the top of a pack"""
TAKEN_ALONG = (
    "judge/case/output_error.py",
    "machine/cgroups.py",
    "machine/cpu.py",
    "machine/files.py",
    "ship/tensors.py",
)
"""what these import, below `PACKED`"""
PACKED = "packed"
OLDEST_PYTHON = (3, 8)
VERIFY_S = 600.0


@dataclass(frozen=True)
class Shipment:
    """What goes into one pack."""

    run: RunRecord
    row: Summary
    model: ModelRecord
    engine: EngineSpec
    runnable: Runnable
    arbiter: Callable[[], Runnable | tuple[Status, str]]
    """of `exam`"""


def prepare(
    run: RunRecord,
    row: Summary,
    store: Store,
    catalogue: Catalogue,
    library: ModelLibrary,
    observer: Observer,
    *,
    factory: bool = False,
) -> Shipment:
    """What a pack of a measured row is made of, which is all here.

    Raises `UsageError` with the reason where the row cannot be shipped; a model that the user's own code built is
    shipped with `factory` alone, since what was exported of it may hold lines of that code.
    """
    case = row.case
    name = case.contender.name
    if run.plan.scenario is not Scenario.LATENCY:
        raise UsageError(f"run {run.name} is of the {run.plan.scenario} scenario: packs are of single-stream latencies")
    if sources.is_factory(run.plan.files.get(case.model, "")) and not factory:
        raise UsageError(
            f"{case.model} was built by code of yours, lines of which may stand in the exported model",
            "Ship it all the same by --with-factory.",
        )
    engine = as_raced(run, case.contender.build, store, catalogue)
    if engine is None:
        raise UsageError(f"the store kept nothing of {name}, and no engine of this name is here")
    spec = engine.environment
    if spec.python and tuple(map(int, spec.python.split("."))) < OLDEST_PYTHON:
        raise UsageError(f"{name} runs on Python {spec.python}, and a pack's own code needs 3.8")
    model = next(model for model in run.models if model.name == case.model)
    found = make_ready(case.contender, engine, model, standing_here(engine), library, observer.note)
    if not isinstance(found, Runnable):
        advice = f"bakeoff engines install {engine.name}" if found[0] is Status.UNAVAILABLE else None
        raise UsageError(f"{name} cannot be packed: {found[1]}", advice)
    arbiter = functools.partial(arbiter_of, run.plan, model, catalogue, library, observer)
    return Shipment(run, row, model, engine, found, arbiter)


def write(
    shipment: Shipment,
    library: ModelLibrary,
    observer: Observer,
    target: Path,
    *,
    with_wheels: bool = False,
    docker: bool = False,
    key: Path | None = None,
) -> None:
    """The pack, in the folder `target`, which must not be there yet; its packages' files in it if `with_wheels`.

    With `docker`, a Dockerfile, which installs from those. Signed by the private `key`, where there is one. Raises
    `UsageError` where it cannot be written, and for an environment that has no wheels; `PackError` where the pack does
    not verify.
    """
    if target.exists():
        raise UsageError(f"--to {target}: it is there already", "Name one that is not there yet.")
    target = target.absolute()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with scratch_in(target.parent) as scratch:
            pack = scratch / target.name
            pack.mkdir()
            if docker:
                _put(pack / "Dockerfile", _template("Dockerfile").substitute(python=shipment.engine.environment.python))
            _fill(pack, shipment, library, observer, with_wheels=with_wheels or docker)
            observer.say("verifying the pack")
            _verify(pack, shipment.runnable, scratch)
            if key:
                from bakeoff.ship.signing import sign  # noqa: PLC0415 - an extra

                sign(pack, key)
            pack.rename(target)
    except OSError as error:
        raise UsageError(f"--to {target}: it cannot be written: {error}") from error


def _fill(pack: Path, shipment: Shipment, library: ModelLibrary, observer: Observer, *, with_wheels: bool) -> None:
    runnable, row = shipment.runnable, shipment.row
    observer.say("locating the wheels")
    spec = runnable.engine.environment
    filled = kinds.of(spec).wheels(spec, runnable.installed)
    pylock = filled.pylock
    if with_wheels:
        observer.say("downloading the wheels")
        (pack / wheels.WHEELS).mkdir()
        pylock = wheels.download(filled, runnable.installed, pack / wheels.WHEELS)
    _put(pack / "pylock.toml", pylock)
    _put(pack / "requirements.txt", filled.requirements)
    for place, file in {**filled.licences, **wheels.licences(metadata.distribution("bakeoff"))}.items():
        _copy(file, pack / "licenses" / place)
    code = snapshot_of(shipment.engine).files
    folders = {runnable.engine.adapter.parent.name, *(folder.name for folder in runnable.engine.uses)}
    for place, text in code.items():
        if place.endswith(".py") and place.partition("/")[0] in folders and not place.endswith("recipe.py"):
            _put(pack / "engine" / place, text)
    put_scripts(pack)
    observer.say("packing the model")
    path = _pack_model(pack / "model", runnable)
    _put(pack / "settings.json", _json(settings(shipment, path)))
    answers = _pack_cases(pack / "cases", shipment, library, observer)
    digests = _digests(pack)
    if find_spec("cyclonedx"):
        from bakeoff.ship.sbom import sbom  # noqa: PLC0415 - an extra

        own = {name: digest for name, digest in digests.items() if name.startswith("model/")}
        _put(pack / "sbom.cdx.json", sbom(shipment.model.name, own, filled))
    else:
        observer.note("the pack has no bill of materials: pip install 'bakeoff[ship]'")
    certified = statement(shipment.run, row, shipment.model, digests, answers)
    _put(pack / "certificate.json", _json(certified))
    measured = certified["predicate"]["bakeoff"]
    _put(pack / "README.md", _readme(shipment, measured, answers, pylock, pack))
    _put(pack / MANIFEST, "".join(f"{digest}  {name}\n" for name, digest in _digests(pack).items()))


def put_scripts(pack: Path) -> None:
    """Put in what people run, and what that imports of ours."""
    for place in (*SCRIPTS, *TAKEN_ALONG):
        inside = Path(place).name if place in SCRIPTS else f"{PACKED}/{place}"
        _put(pack / inside, unbound((HOME / place).read_text(encoding="utf-8")))


def unbound(source: str) -> str:
    """A file of ours as it stands in a pack: what it imports of ours lies there."""
    return source.replace("from bakeoff.ship.pack.", "from ").replace("from bakeoff.", f"from {PACKED}.")


def settings(shipment: Shipment, path: str) -> dict[str, Any]:
    """What settings.json says: how the engine loads the model, which lies at `path` in the pack."""
    runnable, model, case = shipment.runnable, shipment.model, shipment.row.case
    asked = runnable.settings(case.batch_size)
    told = dict.fromkeys(THREAD_VARIABLES, "{threads}")
    return {
        "contender": case.contender.name,
        "python": runnable.engine.environment.python,
        "adapter": f"engine/{runnable.engine.adapter.parent.name}/{runnable.engine.adapter.name}",
        "model": {
            "path": path,
            "format": runnable.engine.model.format,
            "inputs": list(map(_tensor, model.inputs)),
            "outputs": list(map(_tensor, model.outputs)),
        },
        "batch_size": case.batch_size,
        "threads": threads_rule(shipment.run, case.contender.threads),
        "settings": {name: value for name, value in asked.items() if name not in {"threads", "batch_size"}},
        "variables": {**told, **runnable.variables},
    }


def threads_rule(run: RunRecord, threads: int | None) -> int | str | None:
    """How many threads the pack takes: "all" CPUs where the race took those by itself, else what was asked for."""
    request = run.plan.request
    by_itself = request is not None and request.threads is None and threads == run.plan.threads
    return "all" if by_itself else threads


def _tensor(spec: TensorSpec) -> dict[str, Any]:
    return {"name": spec.name, "dtype": spec.dtype, "shape": list(spec.shape)}


def _pack_model(folder: Path, runnable: Runnable) -> str:
    """The model's files put into `folder`, and where in the pack the engine finds it."""
    form, path = runnable.engine.model.format, runnable.model_path
    place = f"{folder.name}/{path.name}"
    if form.startswith(OWN):
        files = sources.files_of(path, form.removeprefix(OWN))
    elif path.is_dir():
        files, place = (
            {file.relative_to(path).as_posix(): file for file in path.rglob("*") if file.is_file()},
            folder.name,
        )
    else:
        files, place = {f"model.{form}": path}, f"{folder.name}/model.{form}"
        weights = path.with_name("model.data")  # of an ONNX file that is too large to have them in it
        if path.name == "model.onnx" and weights.exists():
            files[weights.name] = weights
    for name, file in files.items():
        _copy(file, folder / name)
    return place


def _pack_cases(folder: Path, shipment: Shipment, library: ModelLibrary, observer: Observer) -> str:
    """Known answers put into `folder`, those that the race's judge has; whose they are."""
    run, model, case = shipment.run, shipment.model, shipment.row.case
    judged = exam(
        run.plan, library.samples(model, run.plan.seed, SAMPLES), [shipment.runnable], observer, shipment.arbiter
    )
    with tempfile.TemporaryDirectory(prefix="bakeoff-") as scratch:
        sets = judged.input_sets(case.batch_size, Path(scratch))
        inputs = [[np.load(file, allow_pickle=False) for file in files] for files in sets.paths[:INPUT_SETS]]
    for k, (arrays, answers) in enumerate(zip(inputs, sets.expected, strict=False)):
        place = folder / f"test_data_set_{k}"
        _put_tensors(place, "input", model.inputs, arrays)
        for i, (spec, answer) in enumerate(zip(model.outputs, answers, strict=True)):
            stacked: NDArray[Any] = stack(answer, spec.batch_axis)
            for name in stacked.dtype.names or ():
                if name in BESIDE:
                    _put(place / f"{name}_output_{i}.pb", encode(stacked[name], spec.name))
            _put(place / f"output_{i}.pb", encode(answer_of(stacked).astype(spec.dtype), spec.name))
    if judged.model.unjudged:
        return f"{case.contender.name} itself when it was packed"
    return judged.model.reference.replace(FLOAT64, "float64 arithmetic")


def _put_tensors(folder: Path, kind: str, specs: Sequence[TensorSpec], arrays: Sequence[NDArray[np.generic]]) -> None:
    for i, (spec, array) in enumerate(zip(specs, arrays, strict=True)):
        _put(folder / f"{kind}_{i}.pb", encode(array.astype(spec.dtype), spec.name))


def _readme(shipment: Shipment, measured: Mapping[str, Any], answers: str, pylock: str, pack: Path) -> str:
    model, case = shipment.model, shipment.row.case
    has_wheels = (pack / wheels.WHEELS).is_dir()
    rule = threads_rule(shipment.run, case.contender.threads)
    threads = {"all": "all CPUs that it may use", "None": "as many threads as the framework takes"}
    speed = measured["speed"]
    interval = f" [{speed['ci95'][0]:.4g}-{speed['ci95'][1]:.4g}]" if speed["ci95"] else ""
    return _template("README.md").substitute(
        model=case.model,
        batch_size=case.batch_size,
        engine=f"{measured['engine']['title']} {shipment.row.framework_version}",
        version=measured["version"],
        run=measured["run"],
        python=shipment.engine.environment.python,
        pack=pack.name,
        offline=f"--no-index --find-links {pack.name}/{wheels.WHEELS} " if has_wheels else "",
        wheels=_WHEELS_WANTED if f'path = "{wheels.WHEELS}/' in pylock and not has_wheels else "",
        arguments=", ".join(
            f"{each.name}=array" if each.name.isidentifier() else f"**{{{each.name!r}: array}}" for each in model.inputs
        ),
        inputs=_described(model.inputs, case.batch_size),
        outputs=_described(model.outputs, case.batch_size),
        threads_rule=f"It uses {threads.get(str(rule), f'{rule} threads')}, as in the race: `Model(threads=2)` uses 2.",
        reference=answers,
        error=f"{measured['error']['measured']:.1e}",
        limit=f"{measured['error']['limit']:.1e}",
        speed=f"{speed['samples_per_s']:.4g} samples/s{interval}",
        cpu=measured["machine"].get("cpu", "an unknown processor"),
        threads=f"{measured['threads'] or 'unknown'} threads",
    )


_WHEELS_WANTED = """

Some packages came from files of the machine where this was packed: pip needs them by `--find-links FOLDER`."""


def _template(name: str) -> string.Template:
    return string.Template((HOME / "ship" / "pack" / name).read_text(encoding="utf-8"))


def _described(specs: Sequence[TensorSpec], batch_size: int) -> str:
    return ", ".join(f"`{visible(spec.name)}` ({spec.dtype}, {list(spec.at(batch_size))})" for spec in specs)


def _verify(pack: Path, runnable: Runnable, scratch: Path) -> None:
    """Raise `PackError` if the pack's own verify.py, in the environment that was raced, finds anything."""
    env = spawn_environment(None, before_python(runnable.variables), temporary(scratch))
    words = [*runnable.installed.command, str(pack / "verify.py"), "--seconds", "0"]
    log = paths.cache_dir() / "ship.log"
    try:
        run_limited(words, env, pack, log, timeout_s=VERIFY_S, writable=[paths.worker_home(), scratch])
    except programs.ProgramFailedError as error:
        raise PackError(f"the pack does not verify: {error}", f"the full log is {log}") from error


def _digests(pack: Path) -> dict[str, str]:
    """SHA-256 of every file, by its place."""
    files = sorted(path for path in pack.rglob("*") if path.is_file())
    return {path.relative_to(pack).as_posix(): sha256(path) for path in files}


_json = functools.partial(json.dumps, indent=2, ensure_ascii=False)


def _put(path: Path, content: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def _copy(file: Path, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, path)
