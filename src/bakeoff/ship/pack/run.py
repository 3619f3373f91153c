"""The model of this pack, as it was raced: `Model` for programs, and a command line for files.

    python run.py inputs.npz outputs.npz

Needs Python 3.8 or newer and what requirements.txt lists.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bakeoff.machine.cgroups import within_quota

HERE = Path(__file__).resolve().parent


class Model:
    """The model, loaded for the batch size that was raced. One in a process, used by one thread at a time.

    `threads` is by default what the rule in settings.json says: "all" of the CPUs that this process may use, a number,
    or null, which leaves it to the framework. Environment variables that the engine takes settings from are set here:
    create it before anything imports the framework.
    """

    def __init__(self, threads: int | None = None) -> None:
        settings = json.loads((HERE / "settings.json").read_text(encoding="utf-8"))
        rule = settings["threads"]
        self.threads: int | None = threads or (usable_cpus() if rule == "all" else rule)
        self.batch_size: int = settings["batch_size"]
        self.inputs, self.outputs = (
            [_at_batch(tensor, self.batch_size) for tensor in settings["model"][side]] for side in ("inputs", "outputs")
        )
        set_variables(settings["variables"], self.threads)
        self.engine = imported(HERE / settings["adapter"]).Engine()
        model = {
            "path": str(HERE / settings["model"]["path"]),
            "format": settings["model"]["format"],
            "inputs": self.inputs,
            "outputs": self.outputs,
        }
        asked = {**settings["settings"], "threads": self.threads, "batch_size": self.batch_size}
        self.in_effect: dict[str, Any] = self.engine.load(model, asked) or {}

    def predict(self, **inputs: Any) -> dict[str, NDArray[Any]]:
        """The outputs by name, new arrays, for `inputs` by name: ``model.predict(**{"input.1": array})`` if need be.

        Raises `TypeError` for a name too many or too few, `ValueError` for another dtype or shape than the model has.
        """
        if set(inputs) != {tensor["name"] for tensor in self.inputs}:
            wanted = ", ".join(tensor["name"] for tensor in self.inputs)
            raise TypeError(f"the model takes {wanted}, and got {', '.join(inputs) or 'nothing'}")
        self.engine.prepare([[_fitting(inputs[tensor["name"]], tensor) for tensor in self.inputs]])
        self.engine.run(0)
        results = [np.array(result) for result in self.engine.outputs()]
        return {tensor["name"]: result for tensor, result in zip(self.outputs, results)}  # noqa: B905 - Python 3.8


def usable_cpus() -> int:
    """How many CPUs this process may use: within its affinity and its control group's quota, as in the race."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return within_quota(allowed or 1)


def set_variables(variables: Mapping[str, str], threads: int | None) -> None:
    """Set environment variables, with the number of threads filled in; without one, those that tell it are unset.

    Raises `RuntimeError` for one that has to be set before Python starts, and is not.
    """
    for name, template in variables.items():
        value = template.replace("{threads}", str(threads))
        if threads is None and value != template:
            os.environ.pop(name, None)
        elif name.startswith("LD_") and os.environ.get(name) != value:
            raise RuntimeError(f"start Python with {name}={value}, which is read only then")
        else:
            os.environ[name] = value


def imported(adapter: Path) -> Any:
    """The module of the engine's adapter, which finds the other files of its folder."""
    sys.path.insert(0, str(adapter.parent))
    spec = importlib.util.spec_from_file_location("packed_adapter", adapter)
    if spec is None or spec.loader is None:
        raise ImportError(f"{adapter} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _at_batch(tensor: Mapping[str, Any], batch_size: int) -> dict[str, Any]:
    """An input or output as settings.json has it, null on its batch axis, with the batch size in its place."""
    shape = tensor["shape"]
    axis = shape.index(None) if None in shape else None
    return {**tensor, "shape": [batch_size if size is None else size for size in shape], "batch_axis": axis}


def _fitting(value: Any, tensor: Mapping[str, Any]) -> NDArray[Any]:
    array = np.asarray(value, order="C")
    if array.dtype != tensor["dtype"] or list(array.shape) != tensor["shape"]:
        wanted = f"{tensor['dtype']} {tensor['shape']}"
        raise ValueError(f"input {tensor['name']} is {array.dtype} {list(array.shape)} and has to be {wanted}")
    return array


def main() -> None:
    """The command line; bad input is one line and exit code 2."""
    parser = argparse.ArgumentParser(description="Run the model of this pack once.")
    parser.add_argument("inputs", help="an .npz file with an array for each input, by its name")
    parser.add_argument("outputs", help="the .npz file to write, with an array for each output, by its name")
    parser.add_argument("--threads", type=int, help="how many to use (default: as settings.json says)")
    given = parser.parse_args()
    try:
        with np.load(given.inputs, allow_pickle=False) as file:
            inputs = dict(file)
        results = Model(given.threads).predict(**inputs)
        np.savez(given.outputs, **results)  # type: ignore[arg-type]
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
