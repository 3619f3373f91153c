"""An engine's recipe: a script of some ten lines that uses it as it was raced.

Beside its adapter an engine may have a recipe, the file that `recipe` in engine.toml names. It stands for what is
particular to the engine: it finds `np`, `sys`, `inputs` (input name -> array) and those of the constants below, and
leaves a list of arrays, `outputs`.

=========== ==========================================================================================
MODEL       path of the model in the form that the engine takes
THREADS     number of threads
BATCH       batch size
INPUTS      names of the inputs, in the model's order
OUTPUTS     names of the outputs
SHAPES      input name -> shape, a list, with the batch size filled in
ENGINE      the engine's folder, for those that build networks with their translator
=========== ==========================================================================================

So does every option and every knob of the engine, in capitals: `provider` is PROVIDER.
"""

import ast
import re
from collections.abc import Mapping

from bakeoff.engines import knobs
from bakeoff.errors import EngineFolderError
from bakeoff.records import EngineSpec, ModelRecord, Scalar, word

_GIVEN = {"numpy", "sys"}


def compose(
    engine: EngineSpec,
    model: ModelRecord,
    model_path: str,
    *,
    batch_size: int,
    threads: int,
    about: str,
    settings: Mapping[str, Scalar] | None = None,
) -> str:
    """The whole script: ``python recipe.py inputs.npz outputs.npz``. `about` says in one line what it does.

    `settings` are values of the engine's knobs over their defaults. Raises `OSError` or `SyntaxError` if the engine's
    recipe cannot be read, `EngineFolderError` if it leaves out one of them; it must have one.
    """
    if engine.recipe is None:
        raise ValueError(f"engine {engine.name} has no recipe")
    imports, body = split(engine.recipe.read_text(encoding="utf-8"))
    turned = {name: value for name, value in (settings or {}).items() if name in engine.knobs}
    for name, value in turned.items():
        if not (engine.knobs[name].env or _uses(body, name.upper())):
            raise EngineFolderError(f"the recipe of {engine.name} does not know {name}={word(value)}")
    constants = {
        "MODEL": model_path,
        "THREADS": threads,
        "BATCH": batch_size,
        "INPUTS": [tensor.name for tensor in model.inputs],
        "OUTPUTS": [tensor.name for tensor in model.outputs],
        "SHAPES": {tensor.name: list(tensor.at(batch_size)) for tensor in model.inputs},
        "ENGINE": str(engine.adapter.parent),
        **{name.upper(): value for name, value in engine.options.items()},
        **{name.upper(): turned.get(name, knob.default) for name, knob in engine.knobs.items()},
    }
    used = {name: value for name, value in constants.items() if _uses(body, name)}
    env = {**engine.env, **knobs.variables(engine.knobs, turned)}
    variables = {name: value.replace("{threads}", str(threads)) for name, value in env.items()}
    lines = [
        f"# {_one_line(about)}",
        f"# python recipe.py inputs.npz outputs.npz, where inputs.npz has {_signature(model, batch_size)}",
        *(["import os", "import sys", "", f"os.environ.update({variables!r})"] if variables else ["import sys"]),
        "",
        "import numpy as np",
        *imports,
        "",
        *(f"{name} = {value!r}" for name, value in used.items()),
        "",
        "inputs = dict(np.load(sys.argv[1]))",
        *body.strip("\n").splitlines(),
        "np.savez(sys.argv[2], *outputs)",
    ]
    return "\n".join(lines) + "\n"


def split(recipe: str) -> tuple[list[str], str]:
    """A recipe's imports at its beginning, less those that every script has, and what follows them."""
    source = recipe.splitlines()
    statements = ast.parse(recipe).body
    imports, begin = [], 0
    for statement in statements:
        last = statement.end_lineno or statement.lineno
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):  # the docstring
            begin = last
        elif isinstance(statement, ast.Import | ast.ImportFrom):
            names = {alias.name for alias in statement.names} if isinstance(statement, ast.Import) else set()
            imports += [] if names & _GIVEN else source[statement.lineno - 1 : last]
            begin = last
        else:
            break
    return imports, "\n".join(source[begin:])


def _uses(body: str, name: str) -> bool:
    return re.search(rf"\b{re.escape(name)}\b", body) is not None


def _signature(model: ModelRecord, batch_size: int) -> str:
    """As in "input (float32, 8 x 3 x 224 x 224)"."""
    described = [
        f"{tensor.name} ({tensor.dtype}, {' x '.join(map(str, tensor.at(batch_size))) or 'a scalar'})"
        for tensor in model.inputs
    ]
    return _one_line(", ".join(described))


def _one_line(text: str) -> str:
    """Names come from files of others: in a comment they must stay in its line."""
    return "".join(character if character.isprintable() else " " for character in text)
