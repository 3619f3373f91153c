from collections.abc import Sequence

import msgspec
import pytest

from bakeoff.records import EngineInfo, RunRecord, Summary
from bakeoff.report import notes

pytestmark = pytest.mark.unit

Rows = Sequence[Summary]


def of(rows: Rows, *engines: str) -> list[Summary]:
    return [row for row in rows if row.case.engine in engines and row.case.batch_size == 1]


def test_engines_whose_intervals_overlap_are_not_told_apart(run: RunRecord, rows: Rows) -> None:
    first, *_ = notes.fastest(run, rows)
    assert first == "resnet18, batch 1: not told apart yet: openvino 114 images/s, onnxruntime 113"


def test_a_leader_clear_of_all_others_is_fastest(run: RunRecord, rows: Rows) -> None:
    lines = notes.fastest(run, of(rows, "openvino", "pytorch-compile", "keras"))
    assert lines == [
        "resnet18, batch 1: fastest: openvino 114 images/s, 1.50x pytorch-compile",
        "resnet50, batch 1: fastest: openvino 45.5 images/s, 1.50x pytorch-compile",
    ]


def test_without_intervals_nobody_is_faster(run: RunRecord, rows: Rows) -> None:
    single = [msgspec.structs.replace(row, fps_ci95=None) for row in of(rows, "openvino", "keras")]
    assert all("not told apart yet" in line for line in notes.fastest(run, single))


def test_the_only_one_measured_wins_nothing(run: RunRecord, rows: Rows) -> None:
    first, _ = notes.fastest(run, of(rows, "keras", "ncnn"))
    assert first == "resnet18, batch 1: keras 9.87 images/s, the only one measured"
    assert notes.fastest(run, of(rows, "ncnn"))[0].endswith("nothing was measured")


def test_leagues_are_never_mixed_in_one_ranking(run: RunRecord, rows: Rows) -> None:
    leagues = {"openvino": "int8", "keras": "fp32"}
    engines = tuple(
        EngineInfo(name=name, title=name, framework=name, release="today", league=league)
        for name, league in leagues.items()
    )
    lines = notes.fastest(msgspec.structs.replace(run, engines=engines), of(rows, *leagues))
    assert sorted(line.partition(",")[0] for line in lines) == ["fp32", "fp32", "int8", "int8"]
    assert all("only one measured" in line for line in lines)


def test_cautions_are_told_once_for_each_engine_and_kind(rows: Rows) -> None:
    assert notes.cautions(rows) == [
        "provisional, with 2 rounds: keras",
        "keras (resnet18 batch 1): cores: 3.1 used with 2 threads asked (and 7 more of its cells)",
    ]


def test_a_caution_of_the_whole_table_is_told_once(rows: Rows) -> None:
    all_new = [msgspec.structs.replace(row, cautions=("provisional: 2 rounds",)) for row in rows if row.fps]
    assert notes.cautions(all_new) == ["all: provisional: 2 rounds"]
