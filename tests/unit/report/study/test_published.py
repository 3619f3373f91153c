import csv

import pytest

from bakeoff.report.study.published import FILE, figures, networks_as_run, published_fps
from bakeoff.report.study.rows import FRAMEWORKS, ROWS, engines_of_the_study

pytestmark = pytest.mark.unit


def test_every_line_of_the_file_is_read() -> None:
    with FILE.open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(figures()) == len(lines) == 44
    assert [(f.engine, f.fps) for f in figures()] == [(line["engine"], float(line["fps"])) for line in lines]


def test_the_studys_fps_is_one_over_the_mean() -> None:
    for figure in figures():
        assert figure.fps == pytest.approx(figure.batch_size / figure.seconds_per_batch, rel=1e-9)


def test_what_the_study_left_blank_has_no_figure() -> None:
    assert published_fps("keras", "resnet18", 1) is None
    assert published_fps("onnxruntime", "resnet50", 16) is None
    assert published_fps(None, "resnet50", 1) is None
    assert published_fps("onnxruntime-ngraph", "resnet50", 1) == pytest.approx(36.12376)


def test_every_published_row_has_its_place_in_the_studys_order() -> None:
    assert [row.published for row in ROWS if row.published] == list(dict.fromkeys(f.engine for f in figures()))


def test_the_networks_are_named_as_the_study_ran_them() -> None:
    networks = networks_as_run()
    assert networks["resnet50", "ResNet50 (v1)"] == ["keras"]
    assert networks["resnet50", "resnet_v2_50"] == ["tensorflow"]
    assert networks["resnet50", "resnet50v2"] == ["onnxruntime", "onnxruntime-mkldnn", "onnxruntime-ngraph"]
    assert sum(map(len, networks.values())) == 11


def test_every_engine_of_the_tables_is_in_a_paragraph_and_the_other_way_round() -> None:
    compared = {name for of in FRAMEWORKS.values() for against in of for name in (against.engine, against.base)}
    assert compared == engines_of_the_study()
