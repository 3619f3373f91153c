"""The network of the main job, too large for a unit test: do its seeded weights make a fair one?"""

from pathlib import Path

import numpy as np
import pytest
from onnx.reference import ReferenceEvaluator

from bakeoff.models.architectures import ARCHITECTURES
from bakeoff.models.inputs import draw
from bakeoff.models.sandboxed import built_in
from bakeoff.models.sandboxed.reference import BatchNormalization
from bakeoff.models.sandboxed.seeding import seeded_weights

pytestmark = pytest.mark.end_to_end


def test_resnet18_keeps_its_activations_and_logits_of_order_one(tmp_path: Path) -> None:
    architecture = ARCHITECTURES["resnet18"]
    weights = seeded_weights(architecture)
    built_in.write(architecture, weights, tmp_path / "resnet18.onnx")
    model = ReferenceEvaluator(str(tmp_path / "resnet18.onnx"), new_ops=[BatchNormalization])
    [logits] = model.run(None, {"input": draw("float32", (3, 224, 224), seed=0, count=2)})
    assert np.corrcoef(logits)[0, 1] < 0.5
    assert 0.5 < logits.std() < 4
    assert logits[0].argmax() != logits[1].argmax()
    variances = np.concatenate([values for name, values in weights.items() if name.endswith("running_var")])
    assert variances.min() > 0.01
    assert variances.max() < 100
