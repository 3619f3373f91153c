from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bakeoff.errors import ModelError
from bakeoff.models.pictures import EFFICIENTNET_LITE, TORCHVISION
from bakeoff.models.sandboxed.preprocessing import preprocess

pytestmark = pytest.mark.unit


def test_the_middle_of_a_picture_is_cut_out_and_scaled(tmp_path: Path) -> None:
    pixels = np.zeros((256, 512, 3), np.uint8)
    pixels[:, 128:384] = (255, 127, 0)  # the middle square; the rest is black and must not show
    Image.fromarray(pixels).save(tmp_path / "p.png")
    preprocess([tmp_path / "p.png"], EFFICIENTNET_LITE, tmp_path / "out.npy", lambda _: None)
    [preprocessed] = np.load(tmp_path / "out.npy")
    assert preprocessed.shape == (3, 224, 224)
    assert preprocessed.dtype == np.float32
    for channel, value in zip(preprocessed, (1.0, 0.0, -127 / 128), strict=True):
        np.testing.assert_allclose(channel, value, atol=1e-6)


def test_torchvisions_means_are_taken_from_brightness_in_0_to_1(tmp_path: Path) -> None:
    Image.new("L", (300, 300), 255).save(tmp_path / "white.png")
    preprocess([tmp_path / "white.png"], TORCHVISION, tmp_path / "out.npy", lambda _: None)
    expected = (1 - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225])
    np.testing.assert_allclose(np.load(tmp_path / "out.npy")[0, :, 0, 0], expected, rtol=1e-5)


@pytest.mark.parametrize("content", [b"", b"\xff\xd8\xff\xe0 no more", b"GIF89a"])
def test_what_is_no_picture_is_one_line_that_names_it(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "broken_1.jpg").write_bytes(content)
    with pytest.raises(ModelError, match=r"broken_1\.jpg cannot be opened as a picture") as caught:
        preprocess([tmp_path / "broken_1.jpg"], TORCHVISION, tmp_path / "out.npy", lambda _: None)
    assert "\n" not in str(caught.value)
