"""ONNX's own node tests as models, and what an engine makes of them, many through one worker.

The tests are those of `onnx.backend.test`: a graph of one operator or a few, its inputs, and what comes out.
"""

import contextlib
import re
import warnings
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import onnx.defs
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, numpy_helper
from onnx.backend.test.loader import load_model_tests

from bakeoff.errors import AdapterError, ModelError, UnsupportedError, UnsupportedModelError, WorkerError
from bakeoff.models.sandboxed import tasks
from bakeoff.models.sandboxed.deterministic import must_be_deterministic
from bakeoff.models.sandboxed.opening import OWN_DOMAINS, graphs
from bakeoff.models.sandboxed.shaping import shape
from bakeoff.models.sandboxed.signature import declared, tensor_specs
from bakeoff.records import EngineSpec, Installed, ModelForm, Shaping
from bakeoff.worker.replies import Loaded, Outputs, Took
from bakeoff.worker.session import WorkerSession, spawn_environment

WITH_CONSTANTS = "-with-constants"
"""ends the name of a case all of whose inputs but the first are constants of the graph, as exporters have weights"""
TAKEN_APART = "_expanded"
"""in the name of a test of an operator written as several others"""
ROUNDINGS = 16
"""... of the largest value, by which an engine may be off: the absolute tolerance of ONNX is for small ones"""
CONSTANTS_NEED_NO_INPUT = 4
"""the first IR version in which an initializer is no input besides"""
TIMEOUT_S = 120.0
OPERATORS = {schema.name for schema in onnx.defs.get_all_schemas()} | {"IntegerDiv", "Linear", "ScatterRows"}
"""ONNX's, and those that a plain graph has besides"""

Array = NDArray[Any]


SPELLED = {
    "BatchNormalization": ("BatchNorm",),
    "If": ("AttributeThenBranch",),
    "Loop": ("AttributeBody",),
    "Mod": ("remainder",),
    "Scan": ("AttributeBody",),
    **dict.fromkeys(("HannWindow", "HammingWindow", "BlackmanWindow"), ("StftWindow",)),
    **dict.fromkeys((name for name in OPERATORS if name.startswith("Reduce")), ("Reduce",)),
}
"""what frameworks call operators"""


class Result(StrEnum):
    """What an engine made of a case."""

    RIGHT = "right"
    REFUSED = "refused"
    WRONG = "wrong"
    CRASHED = "crashed"


@dataclass(frozen=True)
class Outcome:
    """The result with its reason, which is empty where the case came out right."""

    result: Result
    reason: str = ""


@dataclass(frozen=True)
class Case:
    """One model with a set of inputs and the outputs that ONNX has for them."""

    name: str
    model: ModelProto = field(repr=False)
    inputs: Sequence[Array] = field(repr=False)
    expected: Sequence[Array] = field(repr=False)
    relative: float
    absolute: float

    @property
    def operators(self) -> set[str]:
        """The names of the operators in it."""
        return {node.op_type for graph in graphs(self.model.graph) for node in graph.node}

    @property
    def in_the_tenth(self) -> bool:
        """Whether it is one of those that are tried on every change: always the same."""
        return TAKEN_APART not in self.name and zlib.crc32(self.name.encode()) % 10 == 0

    def fault(self, outputs: Sequence[Array]) -> str:
        """How `outputs` differ from what ONNX has; empty if they do not."""
        if len(outputs) != len(self.expected):
            return f"{len(outputs)} outputs instead of {len(self.expected)}"
        with np.errstate(all="ignore"):
            faults = [self._fault(*pair) for pair in zip(outputs, self.expected, strict=True)]
        return next((f"output {index}: {fault}" for index, fault in enumerate(faults) if fault), "")

    def _fault(self, got: Array, expected: Array) -> str:
        if got.shape != expected.shape:
            return f"shape {got.shape} instead of {expected.shape}"
        if kind(got) != kind(expected):
            return f"{got.dtype} instead of {expected.dtype}"
        if expected.dtype.kind != "f":
            return "" if np.array_equal(got, expected) else f"{np.count_nonzero(got != expected)} other values"
        wide = expected.astype(np.float64)
        finite = np.abs(wide[np.isfinite(wide)]).max(initial=0.0)
        absolute = max(self.absolute, ROUNDINGS * float(np.finfo(expected.dtype).eps) * finite)
        if np.allclose(got.astype(np.float64), wide, rtol=self.relative, atol=absolute, equal_nan=True):
            return ""
        return f"off by up to {np.nanmax(np.abs(got.astype(np.float64) - wide), initial=0.0):.2g}"


def kind(array: Array) -> str:
    """As the judge of a race tells types apart."""
    return {"f": "float", "b": "bool"}.get(array.dtype.kind, "int")


def cases() -> Iterator[Case]:
    """Every node test that is a model which can be raced, as it is and with its parameters as constants."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what makes the tests overflows on purpose
        tests = load_model_tests(kind="node")
    for test in tests:
        if not answers_once(test.model):
            continue
        try:
            declared(test.model)
        except ModelError:  # text, sequences, types that numpy lacks: refused when a model is taken
            continue
        inputs, outputs = ([in_numpy(value) for value in side] for side in test.data_sets[0])
        if any(array.dtype.isbuiltin != 1 for array in (*inputs, *outputs)):
            continue
        variants = [Case(test.name, test.model, inputs, outputs, test.rtol, test.atol)]
        if len(inputs) > 1:
            variants.append(with_constants(variants[0]))
        for case in variants[-1:] if TAKEN_APART in test.name else variants:
            with contextlib.suppress(ModelError):
                yield replace(case, model=shape(case.model, Shaping(batch_axis=("none",)), {}))


def in_numpy(value: Any) -> Array:
    """A tensor of a node test, which has them in one of two ways."""
    return numpy_helper.to_array(value) if isinstance(value, TensorProto) else np.asarray(value)


def answers_once(model: ModelProto) -> bool:
    """Whether its answer depends on its input alone, and it has no more domains than ONNX's own."""
    with contextlib.suppress(ModelError):
        must_be_deterministic(model)
        return all(node.domain in OWN_DOMAINS for graph in graphs(model.graph) for node in graph.node)
    return False


def with_constants(case: Case) -> Case:
    """`case` with all its inputs but the first as constants of the graph."""
    changed = ModelProto()
    changed.CopyFrom(case.model)
    changed.ir_version = max(changed.ir_version, CONSTANTS_NEED_NO_INPUT)
    for value, array in zip(changed.graph.input[1:], case.inputs[1:], strict=True):
        changed.graph.initializer.append(numpy_helper.from_array(array, value.name))
    del changed.graph.input[1:]
    return replace(case, name=f"{case.name}{WITH_CONSTANTS}", model=changed, inputs=case.inputs[:1])


class Forms:
    """Each case in the forms that engines take, made once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.made: dict[tuple[str, ModelForm], Path | UnsupportedModelError] = {}

    def path(self, case: Case, form: ModelForm) -> Path:
        """Where `case` lies in `form`. Raises `UnsupportedModelError` where it has no such form."""
        if (case.name, form) not in self.made:
            try:
                self.made[case.name, form] = self._make(case, form)
            except UnsupportedModelError as error:
                self.made[case.name, form] = error
        found = self.made[case.name, form]
        if isinstance(found, UnsupportedModelError):
            raise found
        return found

    def _make(self, case: Case, form: ModelForm) -> Path:
        source = self.folder / f"{case.name}.onnx"
        if not source.exists():
            source.write_bytes(case.model.SerializeToString(deterministic=True))
        target = self.folder / f"{case.name}-{len(self.made)}"
        if form.format == "plain":
            target.mkdir()
            tasks.lower(report=silent, path=str(source), name=case.name, folder=str(target))
            return target
        if form.max_opset is None and form.max_ir_version is None:
            return source
        limits = {"max_opset": form.max_opset, "max_ir_version": form.max_ir_version}
        tasks.convert(report=silent, path=str(source), target=str(target), **limits)
        return target


def silent(_what: str) -> None:
    """Nobody watches."""


class Conformance:
    """One engine and the worker that all cases go through; one that died is started anew."""

    def __init__(self, engine: EngineSpec, installed: Installed, forms: Forms, folder: Path) -> None:
        self.engine, self.installed, self.forms, self.folder = engine, installed, forms, folder
        self.version = ""
        self.session: WorkerSession | None = None

    def close(self) -> None:
        """Leave no process."""
        if self.session is not None:
            self.session.kill()
            self.session = None

    def outcome(self, case: Case) -> Outcome:
        """What the engine makes of `case`."""
        try:
            path = self.forms.path(case, self.engine.model)
        except UnsupportedModelError as error:
            return Outcome(Result.REFUSED, str(error))
        except Exception as error:  # noqa: BLE001 - a crash of our own is what is looked for
            return Outcome(Result.CRASHED, f"no form: {type(error).__name__}: {error}")
        try:
            fault = case.fault(self._outputs(case, path))
        except UnsupportedError as error:
            return Outcome(Result.REFUSED, str(error))
        except AdapterError as error:
            return Outcome(Result.CRASHED, str(error))
        except WorkerError as error:
            self.close()
            return Outcome(Result.CRASHED, str(error))
        return Outcome(Result.WRONG, fault) if fault else Outcome(Result.RIGHT)

    def _outputs(self, case: Case, path: Path) -> list[Array]:
        session = self._answering()
        specs = tensor_specs(case.model)
        inputs, outputs = ([{"name": s.name, "dtype": s.dtype, "shape": s.shape} for s in side] for side in specs)
        model = {"path": str(path), "format": self.engine.model.format, "inputs": inputs, "outputs": outputs}
        asked = {"threads": 1, "precision": self.engine.league, "batch_size": 1}
        session.call("load", Loaded, model=model, settings={**self.engine.usual, **asked})
        files = [self.folder / f"input-{index}.npy" for index in range(len(case.inputs))]
        for file, array in zip(files, case.inputs, strict=True):
            np.save(file, np.ascontiguousarray(array) if array.ndim else array)
        session.call("prepare", Took, input_sets=[[str(file) for file in files]])
        reply = session.call("outputs", Outputs, k=0, directory=str(self.folder))
        return reply.arrays()

    def _answering(self) -> WorkerSession:
        if self.session is None:
            env = spawn_environment(1, self.installed.env, self.engine.env)
            log = self.folder / "worker.log"
            self.session = WorkerSession(self.installed.command, self.engine.adapter, env, log, TIMEOUT_S)
            self.version = self.session.hello().framework.version
        return self.session


def names_an_operator(reason: str, case: Case) -> bool:
    """Whether `reason` names an operator, of ONNX's or as a framework spells one of the case's; or a tensor of it."""
    graph = case.model.graph
    tensors = [value.name for value in [*graph.input, *graph.output, *graph.initializer]]
    spelled = re.sub(r"[^a-z]", "", reason.lower())
    if OPERATORS & set(re.findall(r"\w+", reason)) or any(f"{name!r}" in reason for name in tensors):
        return True
    return any(
        word.lower() in spelled for operator in case.operators for word in (operator, *SPELLED.get(operator, ()))
    )
