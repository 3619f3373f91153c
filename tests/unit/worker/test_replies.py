"""Whatever an adapter returns or raises, the controller gets a reply that it can store, or an error: a row."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of
from tests.unit.made import a_case

from bakeoff.errors import AdapterError, UnsupportedError, WorkerError, WrongReplyError
from bakeoff.judge.case import parity
from bakeoff.race.ready.runnable import answers_in
from bakeoff.records import ModelRecord, Status, TensorSpec, Trial
from bakeoff.store.rows import trial_record, trial_row
from bakeoff.worker import worker as untyped
from bakeoff.worker.replies import Burst, Envelope, Hello, Loaded, Outputs, UnderLoad, opening

pytestmark = pytest.mark.unit

worker: Any = untyped

SCALARS: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text('a"\n\0\u2028\udce9\U0001f95e'),
    st.binary(),
    st.complex_numbers(),
    arrays_of.arrays(arrays_of.scalar_dtypes(), arrays_of.array_shapes(min_dims=0, max_side=3)),
    st.builds(object),
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner)
        | st.dictionaries(st.one_of(st.none(), st.integers(), st.text(), st.binary()), inner)
    ),
    max_leaves=8,
)
MODEL = ModelRecord(
    name="m",
    digest="d",
    weights="seeded",
    inputs=(),
    outputs=tuple(TensorSpec(name=name, dtype="float32", shape=(3, None)) for name in "ab"),
    classes=3,
)


def reply_of(engine: object, op: str, reply: type[Any], **arguments: Any) -> Any:
    """What the controller gets of a request to a worker with `engine`."""
    subject = worker.Worker("adapter.py")
    subject.engine = None if op == "load" else engine
    subject.engine_class = lambda: engine
    line = worker.answer(getattr(subject, op), arguments)
    assert "\n" not in line
    return msgspec.json.decode(line.encode("utf-8", "replace"), type=Envelope).content(op, reply)


class Returns:
    """An engine of which every method returns the same, or raises it."""

    def __init__(self, value: object) -> None:
        self.value = value

    def answer(self, *_: object) -> Any:
        if isinstance(self.value, BaseException):
            raise self.value
        return self.value

    load = prepare = run = outputs = answer

    def close(self) -> None: ...


@given(ANYTHING)
def test_whatever_took_effect_comes_back_from_the_store_or_never_gets_there(value: Any) -> None:
    try:
        loaded = reply_of(Returns(value), "load", Loaded, model={}, settings={})
    except WorkerError as error:
        assert str(error)  # noqa: PT017 - either is right
        return
    trial = Trial(
        round=1,
        case=a_case("e", "m", 1),
        status=Status.OK,
        effective=loaded.effective,
    )
    row = SimpleNamespace(**trial_row(1, trial, ""))
    assert trial_record(row) == trial
    assert json.loads(msgspec.json.encode(trial))["effective"] == loaded.effective


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=ANYTHING | st.lists(SCALARS, min_size=2, max_size=2))
def test_whatever_an_engine_gives_for_outputs_is_judged_or_an_error(value: Any, tmp_path: Path) -> None:
    try:
        reply = reply_of(Returns(value), "outputs", Outputs, k=None, directory=str(tmp_path))
        outputs = answers_in(reply, MODEL, 2)
    except WorkerError:
        return
    found, fault = parity.compare(outputs, [np.ones((2, 3))] * 2, classes=3)
    assert found.max_rel_error is not None or fault


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit("odd"), MemoryError("no room")])
def test_whatever_an_adapter_raises_is_an_error_reply(error: BaseException) -> None:
    with pytest.raises(AdapterError, match=type(error).__name__):
        reply_of(Returns(error), "load", Loaded, model={}, settings={})


def test_an_exception_that_cannot_be_printed_is_an_error_reply() -> None:
    class Mute(Exception):  # noqa: N818
        def __str__(self) -> str:
            raise ValueError

    with pytest.raises(AdapterError, match="Mute: an exception without a message"):
        reply_of(Returns(Mute()), "load", Loaded, model={}, settings={})


def test_a_name_that_is_no_unicode_is_told_as_far_as_it_is() -> None:
    with pytest.raises(AdapterError, match=r"no file 'caf\?'"):
        reply_of(Returns(OSError("no file 'caf\udce9'")), "load", Loaded, model={}, settings={})


@pytest.mark.parametrize(
    ("effective", "reason"),
    [
        ([1], r"`load` is no reply: Expected `object`, got `array` - at `\$.effective`"),
        ("fast", "Expected `object`, got `str`"),
        ({"threads": 2**64}, "Expected `int`"),
        ({"threads": np.int64(2)}, "TypeError: Object of type int64 is not JSON serializable"),
        ({"share": float("nan")}, "ValueError: Out of range float values"),
        ({"a": {"b": {"c": {}}}}, "got `object`"),
    ],
)
def test_settings_of_another_shape_are_told_by_operation_and_field(effective: Any, reason: str) -> None:
    with pytest.raises((AdapterError, WrongReplyError), match=reason):
        reply_of(Returns(effective), "load", Loaded, model={}, settings={})


def test_an_engine_that_says_nothing_of_its_settings_has_none() -> None:
    assert reply_of(Returns(None), "load", Loaded, model={}, settings={}).effective == {}


def test_a_disk_that_is_full_is_given_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def save(path: str, array: Any, *, allow_pickle: bool) -> None:
        assert not allow_pickle
        Path(path).write_bytes(bytes(array)[:2])
        if path.endswith("1.npy"):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", save)
    with pytest.raises(AdapterError, match="No space left on device"):
        reply_of(Returns([np.ones(3)] * 3), "outputs", Outputs, k=None, directory=str(tmp_path))
    assert not list(tmp_path.iterdir())


def outputs_at(*paths: Path) -> Outputs:
    return Outputs(seconds=0.0, outputs_seconds=0.0, inputs_changed=[], paths=[str(path) for path in paths])


def test_outputs_that_would_fill_the_memory_are_not_read(tmp_path: Path) -> None:
    with (tmp_path / "0.npy").open("wb") as file:
        file.truncate(1 << 40)  # a hole: no disk is used
    with pytest.raises(WrongReplyError, match=r"take 1099511627776 bytes, the model's 96"):
        answers_in(outputs_at(tmp_path / "0.npy"), MODEL, 2)


def test_a_file_that_holds_no_array_is_no_output(tmp_path: Path) -> None:
    (tmp_path / "0.npy").write_bytes(b"\x93NUMPY\x01\x00")
    (tmp_path / "1.npy").touch()
    for name in ("0.npy", "1.npy", "2.npy"):
        with pytest.raises(WrongReplyError, match="its outputs cannot be read"):
            outputs_at(tmp_path / name).arrays()


BURST = {
    "latencies": [0.1],
    "seconds": 0.1,
    "outputs_seconds": 0.0,
    "paths": [],
    "inputs_changed": [],
    "cpu_seconds": {"7": 0.1},
    "queued_seconds": None,
    "voluntary_switches": 0,
    "involuntary_switches": 0,
    "peak_rss_bytes": None,
}
HELLO = {"python": "3.6.9", "framework": {"version": "1.0", "build": ["any"]}, "import_seconds": 0.1}
UNDER_LOAD = {"rate": 3.5, "queries": 7, "latencies": [[0.1], []], "last": [0, None]}


@pytest.mark.parametrize(
    ("reply", "right", "field", "wrong"),
    [
        (Hello, HELLO, "framework", "1.0"),
        (Hello, HELLO, "framework", {"build": "any"}),
        (Hello, HELLO, "framework", {"version": 1.0}),
        (Hello, HELLO, "framework", {"version": "1\0"}),
        (Hello, HELLO, "import_seconds", -0.1),
        (Burst, BURST, "latencies", [0.0]),
        (Burst, BURST, "latencies", "0.1"),
        (Burst, BURST, "cpu_seconds", {"7": -1.0}),
        (Burst, BURST, "inputs_changed", [[0]]),
        (Burst, BURST, "peak_rss_bytes", 2**63),
        (UnderLoad, UNDER_LOAD, "rate", 0.0),
        (UnderLoad, UNDER_LOAD, "last", [-1]),
    ],
)
def test_a_reply_fits_in_every_field_or_not_at_all(reply: type[Any], right: Any, field: str, wrong: Any) -> None:
    def content(of: Any) -> Any:
        return msgspec.json.decode(json.dumps({"ok": of}), type=Envelope).content("this", reply)

    assert isinstance(content(right), reply)
    with pytest.raises(WrongReplyError, match=rf"`this` is no reply: .*`\$\.{field}"):
        content(right | {field: wrong})
    with pytest.raises(WrongReplyError, match=rf"missing required field `{field}`"):
        content({key: value for key, value in right.items() if key != field})


def test_not_implemented_means_unsupported_even_without_a_reason() -> None:
    with pytest.raises(UnsupportedError, match="the adapter gives no reason"):
        reply_of(Returns(NotImplementedError()), "load", Loaded, model={}, settings={})


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("odd weights\nsecond line", "odd weights"),
        (
            "Exception from model.cpp:761:\nInput 'mask' is not found.\n",
            "Exception from model.cpp:761: Input 'mask' is not found.",
        ),
        ("backend raised:\n\n  RuntimeError:\n no scale\nrest", "backend raised: RuntimeError: no scale"),
        ("\n nothing follows:\n\n", "nothing follows:"),
        (" \n", ""),
        ("o" * 10_000, "o" * 2000),
    ],
)
def test_a_reason_goes_on_where_its_line_ends_with_a_colon(message: str, reason: str) -> None:
    assert opening(message) == reason
