import ast
from pathlib import Path

import msgspec
import pytest

from bakeoff.engines import snapshot
from bakeoff.engines.catalogue import Catalogue
from bakeoff.engines.recipe import compose, split
from bakeoff.errors import EngineFolderError
from bakeoff.records import EngineSpec, ModelRecord, TensorSpec

pytestmark = pytest.mark.unit

CATALOGUE = Catalogue.load()
WITH_RECIPE = [engine for engine in CATALOGUE.engines.values() if engine.recipe]
IMAGE = TensorSpec(name="input", dtype="float32", shape=(None, 3, 8, 8))
SCORES = TensorSpec(name="logits", dtype="float32", shape=(None, 10))
MODEL = ModelRecord(name="m", digest="d" * 64, weights="seeded", inputs=(IMAGE,), outputs=(SCORES,))


def script_of(engine: EngineSpec, model: ModelRecord = MODEL, about: str = "m on it", path: str = "model.onnx") -> str:
    return compose(engine, model, path, batch_size=4, threads=2, about=about)


def constants_of(script: str) -> dict[str, object]:
    tree = ast.parse(script)
    assigned = [node for node in tree.body if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)]
    return {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in assigned
        if isinstance(node.targets[0], ast.Name) and node.targets[0].id.isupper()
    }


@pytest.mark.parametrize("engine", WITH_RECIPE, ids=lambda engine: engine.name)
def test_every_recipe_is_a_short_script_that_defines_all_that_it_reads(engine: EngineSpec) -> None:
    script = script_of(engine)
    tree = ast.parse(script)
    read = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    assert {name for name in read if name.isupper()} == set(constants_of(script))
    assert constants_of(script)["MODEL"] == "model.onnx"
    assert engine.recipe
    _, body = split(engine.recipe.read_text(encoding="utf-8"))
    assert len([line for line in body.splitlines() if line]) <= 20


def test_the_study_s_winners_have_recipes() -> None:
    names = {engine.name for engine in WITH_RECIPE}
    assert {"onnxruntime", "onnxruntime-openvino", "openvino", "pytorch", "keras", "tensorflow"} <= names


def test_only_what_a_recipe_uses_is_written_and_variables_come_before_the_framework() -> None:
    onnxruntime = CATALOGUE.engines["onnxruntime"]
    knobs = {name.upper() for name in onnxruntime.knobs}
    assert set(constants_of(script_of(onnxruntime))) == {"MODEL", "THREADS", "OUTPUTS", "PROVIDER", *knobs}
    keras = script_of(CATALOGUE.engines["keras"])
    assert keras.index("'KERAS_BACKEND': 'tensorflow'") < keras.index("import keras")


def test_a_recipe_has_the_knobs_as_they_were_turned_or_there_is_none(tmp_path: Path) -> None:
    onnxruntime = CATALOGUE.engines["onnxruntime"]
    script = compose(
        onnxruntime, MODEL, "m", batch_size=4, threads=2, about="a", settings={"spin": False, "threads": 2}
    )
    assert constants_of(script)["SPIN"] is False
    assert constants_of(script)["MEMORY_ARENA"] is True
    recipe = tmp_path / "recipe.py"
    recipe.write_text("import onnxruntime\noutputs = [MODEL]\n", encoding="utf-8")
    short = msgspec.structs.replace(onnxruntime, recipe=recipe)
    with pytest.raises(EngineFolderError, match="the recipe of onnxruntime does not know spin=false"):
        compose(short, MODEL, "m", batch_size=4, threads=2, about="a", settings={"spin": False})
    by_variable = msgspec.structs.replace(
        onnxruntime.knobs["spin"], applies="process", env={"false": {"X": "{threads}"}}
    )
    turned = msgspec.structs.replace(short, knobs={"spin": by_variable})
    assert "'X': '2'" in compose(turned, MODEL, "m", batch_size=4, threads=2, about="a", settings={"spin": False})


def test_names_of_others_cannot_leave_their_comment_or_their_string() -> None:
    evil = "x'\nraise SystemExit(1)\r#\u2028raise"
    tensor = msgspec.structs.replace(IMAGE, name=evil)
    script = script_of(
        CATALOGUE.engines["openvino"], msgspec.structs.replace(MODEL, inputs=(tensor,)), about=evil, path=evil
    )
    assert not [node for node in ast.walk(ast.parse(script)) if isinstance(node, ast.Raise)]
    assert constants_of(script)["MODEL"] == evil
    assert constants_of(script)["SHAPES"] == {evil: [4, 3, 8, 8]}


def test_imports_that_every_script_has_are_not_repeated() -> None:
    imports, body = split(
        '"""What."""\n\nimport numpy as np\nimport sys\nfrom a import (\n    b,\n)\n\nx = 1\nimport c\n'
    )
    assert imports == ["from a import (", "    b,", ")"]
    assert body.strip().splitlines() == ["x = 1", "import c"]


def test_a_kept_engine_keeps_its_recipe(tmp_path: Path) -> None:
    engine = CATALOGUE.engines["opencv"]
    again = snapshot.restore(snapshot.snapshot_of(engine), "opencv.then", tmp_path, [engine.environment])
    assert again.recipe
    assert script_of(again).splitlines()[2:] == script_of(engine).splitlines()[2:]
