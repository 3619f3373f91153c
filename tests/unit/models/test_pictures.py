from pathlib import Path

import pytest

from bakeoff.errors import ModelError
from bakeoff.models import pictures
from bakeoff.models.pictures import labelled

pytestmark = pytest.mark.unit


def touched(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def named(found: list[tuple[Path, int]]) -> dict[str, int]:
    return {path.name: label for path, label in found}


def test_a_label_is_the_number_at_the_end_of_a_name(tmp_path: Path) -> None:
    folder = touched(tmp_path, "cat_3.jpg", "a_b_12.PNG", "notes.txt")
    assert named(labelled(folder, 20)) == {"a_b_12.PNG": 12, "cat_3.jpg": 3}


def test_a_pattern_takes_some_of_a_folder(tmp_path: Path) -> None:
    folder = touched(tmp_path, "imagenet_00_243.jpg", "cifar_00_3.png", "mnist.txt")
    assert named(labelled(folder / "imagenet_*", 1000)) == {"imagenet_00_243.jpg": 243}


def test_a_folder_is_a_class_by_its_number_or_by_its_place_among_all_classes(tmp_path: Path) -> None:
    by_number = touched(tmp_path / "numbers", "7/a.jpg", "12/b.jpg", "12/notes.txt")
    assert named(labelled(by_number, 20)) == {"a.jpg": 7, "b.jpg": 12}
    by_name = touched(tmp_path / "names", "zebra/z.jpg", "ape/a.jpg", "cow/c.jpg")
    assert named(labelled(by_name, 3)) == {"a.jpg": 0, "c.jpg": 1, "z.jpg": 2}


@pytest.mark.parametrize(
    ("names", "classes", "complaint"),
    [
        ((), 10, "there are no pictures in"),
        (("cat.jpg",), 10, r"cat\.jpg has no label at the end of its name"),
        (("cat_10.jpg",), 10, r"cat_10\.jpg is labelled 10, and the network knows classes 0 to 9"),
        (("ape/a.jpg", "cow/c.jpg"), 10, "has 2 folders with names, and the network 10 classes"),
    ],
)
def test_pictures_without_a_sound_label_are_refused(
    tmp_path: Path, names: tuple[str, ...], classes: int, complaint: str
) -> None:
    with pytest.raises(ModelError, match=complaint):
        labelled(touched(tmp_path, *names), classes)


def test_of_very_many_some_are_taken_evenly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MOST_PICTURES", 3)
    folder = touched(tmp_path, *(f"p{number}_{number}.jpg" for number in range(9)))
    assert [label for _, label in labelled(folder, 9)] == [0, 4, 8]
