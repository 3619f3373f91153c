import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bakeoff.ship.pack import run
from bakeoff.ship.pack.run import Model, set_variables

pytestmark = pytest.mark.unit

X = np.ones((2, 3), np.float32)


def test_a_model_answers_by_the_names_of_its_inputs_and_outputs(a_pack: Callable[..., Path]) -> None:
    a_pack()
    model = Model()
    first = model.predict(x=X)
    again = model.predict(x=np.asfortranarray(3 * X))
    np.testing.assert_array_equal(first["y"], 2 * X)
    np.testing.assert_array_equal(again["y"], 6 * X)
    assert model.engine.settings == {"spin": True, "threads": 3, "batch_size": 2}


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, "takes x, and got nothing"),
        ({"x": X, "z": X}, "takes x, and got x, z"),
        ({"x": X.astype(np.float64)}, r"x is float64 \[2, 3\] and has to be float32 \[2, 3\]"),
        ({"x": X[:1]}, r"x is float32 \[1, 3\] and has to be float32 \[2, 3\]"),
    ],
)
def test_what_the_model_does_not_take_is_said(
    a_pack: Callable[..., Path], inputs: dict[str, Any], message: str
) -> None:
    a_pack()
    with pytest.raises((TypeError, ValueError), match=message):
        Model().predict(**inputs)


@pytest.mark.parametrize(
    ("rule", "asked", "threads"), [("all", None, 5), (3, None, 3), (None, None, None), ("all", 2, 2)]
)
def test_threads_follow_the_rule_that_was_raced(
    a_pack: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, rule: Any, asked: int | None, threads: int | None
) -> None:
    monkeypatch.setattr(run, "usable_cpus", lambda: 5)
    a_pack(threads=rule)
    assert Model(asked).in_effect["threads"] == threads


def test_cpus_are_counted_as_a_race_counts_them() -> None:
    from bakeoff.machine.fingerprint import usable_cpus  # noqa: PLC0415 - psutil, which no pack has

    assert run.usable_cpus() == usable_cpus()


def test_variables_tell_the_threads_or_do_not_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NPROC", "7")
    monkeypatch.setenv("MODE", "old")
    variables = {"NPROC": "{threads}", "MODE": "new"}
    set_variables(variables, 2)
    assert (os.environ["NPROC"], os.environ["MODE"]) == ("2", "new")
    set_variables(variables, None)
    assert "NPROC" not in os.environ
    with pytest.raises(RuntimeError, match=r"start Python with LD_PRELOAD=libx\.so"):
        set_variables({"LD_PRELOAD": "libx.so"}, 2)


def test_bad_input_on_the_command_line_is_one_line(
    a_pack: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    a_pack()
    inputs, outputs = tmp_path / "in.npz", tmp_path / "out.npz"
    np.savez(inputs, x=X)
    monkeypatch.setattr("sys.argv", ["run.py", str(inputs), str(outputs)])
    run.main()
    with np.load(outputs) as found:
        np.testing.assert_array_equal(found["y"], 2 * X)
    np.savez(inputs, z=X)
    with pytest.raises(SystemExit) as ended:
        run.main()
    assert ended.value.code == 2
    assert "the model takes x, and got z" in capsys.readouterr().err
    assert json.loads((run.HERE / "settings.json").read_text())["threads"] == 3
