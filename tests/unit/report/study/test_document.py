import re
import string
from collections.abc import Callable, Mapping

import pytest

from bakeoff.report.study.language import Language
from bakeoff.report.study.order import orders
from bakeoff.report.study.results import StudyResults
from bakeoff.report.study.rows import FRAMEWORKS, ROWS, engines_of_the_study
from bakeoff.report.study.sentences import headline, paragraph, swaps
from bakeoff.report.study.tables import Notes, SpeedTable

pytestmark = pytest.mark.unit

TableRace = Callable[..., StudyResults]
SAY = Language("en")


def tables_in(document: str) -> list[list[list[str]]]:
    """Every table: its lines without the rule, each as its cells."""
    blocks = re.findall(r"(?:^\|.*\|\n)+", document, flags=re.MULTILINE)
    return [
        [
            [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            for line in block.splitlines()
            if not line.startswith("| ---")
        ]
        for block in blocks
    ]


def row_of(document: str, title: str, table: int = 0) -> list[str]:
    """The cells behind the title of a row, one of the tables of images per second."""
    return next(line[1:] for line in tables_in(document)[table] if line[0].startswith(title))


def keras_paragraph(results: StudyResults) -> str:
    return paragraph(results, "Keras", FRAMEWORKS["Keras"], SAY)


# The tables


def test_every_batch_size_has_a_table_with_every_row_in_the_studys_order(documents: Mapping[str, str]) -> None:
    first, second = tables_in(documents["en"])[:2]
    for table in (first, second):
        assert [line[0].partition(" (")[0] for line in table[1:]] == [row.title for row in ROWS]
        assert all(len(line) == 2 + 2 * 4 for line in table)
    assert {name for line in first for name in re.findall(r"`(.*?)`", line[1])} == engines_of_the_study()


def test_published_figures_stand_beside_ours_and_blanks_are_marked_and_filled(documents: Mapping[str, str]) -> None:
    _, study18, then18, today18, ratio18, study50, *_ = row_of(documents["en"], "TensorFlow")
    assert (study18, study50) == ("*blank*", "3.83")
    assert re.fullmatch(r"\d+\.\d / \d+\.\d", then18)
    assert re.fullmatch(r"\d+\.\d / \d+\.\d", today18)
    assert re.fullmatch(r"[\d.]+× \[[\d.]+–[\d.]+\]", ratio18)  # noqa: RUF001 - as typeset


def test_the_mean_stands_beside_the_median(table_race: TableRace) -> None:
    """The hand-made trials have medians 4% faster than their means."""
    results = table_race({"pytorch-2019": [10.0] * 6})
    table = str(SpeedTable(results, 1, SAY, Notes()))
    assert "| 10.0 / 10.4 |" in table


def test_few_rounds_are_marked_provisional_and_enough_are_not(documents: Mapping[str, str]) -> None:
    _, _, then, today, ratio, *_ = row_of(documents["en"], "Keras")
    assert "†" not in then
    assert today.endswith("†")
    assert ratio.endswith("†")
    assert documents["en"].count("†") == 1 + 2 * 2 * 2


def test_lost_rows_are_never_merged_with_what_stands_in_for_them(documents: Mapping[str, str]) -> None:
    assert row_of(documents["en"], "ONNX Runtime + nGraph")[:5] == ["", "89.8", "not rerunnable [2]", "", ""]
    engines, study, *_ = row_of(documents["en"], "nGraph (stands in for ONNX Runtime + nGraph)")
    assert (engines, study) == ("`ngraph-2019`", "")
    assert "ONNX Runtime + MKL-DNN, ONNX Runtime + nGraph: not rerunnable: no binary" in documents["en"]


def test_rows_that_are_not_ok_show_their_status_and_a_note_with_the_reason(documents: Mapping[str, str]) -> None:
    assert row_of(documents["en"], "Caffe2")[2] == "unavailable [1]"
    assert row_of(documents["en"], "MXNet", table=1)[2] == "timed out [4]"
    assert "- [4] `mxnet`: timed out: no answer in 300 s\n" in documents["en"]
    assert "unsupported: torch 1.1 has no max\\_pool2d \\| for MKL-DNN tensors" in documents["en"]


def test_an_engine_that_was_not_raced_is_a_row_that_says_so(documents: Mapping[str, str]) -> None:
    assert row_of(documents["en"], "Keras on JAX")[3] == "not in this run"
    assert "(`keras-jax` is not in this run)" in documents["en"]


def test_an_engine_outside_the_study_is_named_and_has_its_parity(documents: Mapping[str, str]) -> None:
    assert "no part of the study: `ncnn`" in documents["en"]
    assert ["`ncnn`", "2.13.0", "today", "3.0e-07", "4 / 4"] in tables_in(documents["en"])[-1]


def test_cells_that_are_not_ok_are_counted_beside_the_worst_error(documents: Mapping[str, str]) -> None:
    parity = {line[0]: line[3:] for line in tables_in(documents["en"])[-1]}
    assert parity["`mxnet`"] == ["3.0e-07", "2 / 4"]
    assert parity["`caffe2-2019`"] == ["-", "0 / 4"]


# The sentences


def test_a_framework_that_moved_everywhere_alike_is_one_clause(table_race: TableRace) -> None:
    results = table_race({"keras": [30.0] * 6, "keras-2019": [10.0] * 6})
    assert "`keras` 2.13.0 against `keras-2019` 1.1.0: faster on resnet50 at batch 1 (3.00× [3.00–3.00])." in (  # noqa: RUF001
        keras_paragraph(results)
    )


def test_equivalent_and_undecided_are_different_words(table_race: TableRace) -> None:
    equal = table_race({"keras": [10.0, 10.1, 9.9, 10.0, 10.05], "keras-2019": [10.0, 10.05, 9.95, 10.0, 10.0]})
    restless = table_race({"keras": [10.0, 13.0, 8.0], "keras-2019": [10.0, 10.0, 10.0]})
    assert ": equivalent on resnet50" in keras_paragraph(equal)
    assert ": not decided on resnet50" in keras_paragraph(restless)


def test_the_headline_counts_what_moved_and_names_the_largest_change(table_race: TableRace) -> None:
    speeds = {"keras": [30.0] * 6, "keras-2019": [10.0] * 6, "pytorch": [12.0] * 6, "pytorch-2019": [24.0] * 6}
    text = headline(table_race(speeds), SAY)
    assert "faster in 1 of 2 tables" in text
    assert "slower in 1, equivalent in 0; 0 are not decided" in text
    assert "The largest change is Keras's on resnet50 at batch 1: 3.00" in text
    assert "`pytorch-2019` with 24.0 images/s of the 2019 release, `keras` with 30.0 images/s" in text


def test_the_headline_says_when_nothing_can_be_compared(table_race: TableRace) -> None:
    assert headline(table_race({"keras": [30.0]}), SAY) == SAY("headline_nothing")


def test_swapped_rows_are_told_with_their_ratio_and_where(table_race: TableRace) -> None:
    results = table_race({"pytorch-2019": [24.0] * 6, "onnxruntime-2019": [12.0] * 6})
    assert swaps(orders(results, "2019"), SAY) == [
        "ONNX Runtime was faster than PyTorch, and is 0.50× [0.50–0.50] of it here (resnet50 batch 1)"  # noqa: RUF001
    ]


def test_the_studys_own_flaws_are_stated(documents: Mapping[str, str]) -> None:
    for text in ("*resnet\\_v2\\_50*: TensorFlow", "*ResNet50 (v1)*: Keras", "NCWH", "np.swapaxes(x, 1, 3)"):
        assert text in documents["en"]
    assert "ResNet-18 is blank for Keras, TensorFlow, Caffe2." in documents["en"]


def test_source_fingerprint_and_commands_are_in_the_document(documents: Mapping[str, str]) -> None:
    assert "DeepLearningFrameworks, 2019" in documents["en"]
    assert "fingerprint: `0123456789ab`" in documents["en"]
    assert "\nbakeoff study --budget 45m --batch 1,8\n" in documents["en"]
    assert "command: `bakeoff run resnet18 resnet50 --engines " in documents["en"]


# The languages


def test_both_languages_have_the_same_texts_with_the_same_fields() -> None:
    english, chinese = Language("en").texts, Language("zh").texts
    assert english.keys() == chinese.keys()
    assert {key: fields_of(text) for key, text in english.items()} == {
        key: fields_of(text) for key, text in chinese.items()
    }


def fields_of(text: str) -> set[str]:
    return {name for _, name, *_ in string.Formatter().parse(text) if name}


def test_both_languages_have_the_same_tables_and_headings(documents: Mapping[str, str]) -> None:
    english, chinese = (tables_in(documents[code]) for code in ("en", "zh"))
    assert [[numbers_in(line) for line in table[1:]] for table in english] == [
        [numbers_in(line) for line in table[1:]] for table in chinese
    ]
    assert headings(documents["en"]) == headings(documents["zh"])


def test_the_chinese_document_is_in_chinese(documents: Mapping[str, str]) -> None:
    words = {text for text in Language("en").texts.values() if len(text) > 40 and "{" not in text}
    assert words
    assert not [text for text in words if text in documents["zh"]]
    assert "无法重做" in documents["zh"]


def numbers_in(line: list[str]) -> list[list[str]]:
    """What is the same in every language: the figures of each cell, but for the "2019" of a release's name."""
    return [[number for number in re.findall(r"\d[\d.e-]*", cell) if number != "2019"] for cell in line]


def headings(document: str) -> list[int]:
    return [len(marks) for marks in re.findall(r"^(#+) ", document, flags=re.MULTILINE)]


def test_no_text_is_left_with_an_unfilled_field(documents: Mapping[str, str]) -> None:
    assert not [text for text in documents.values() if re.search(r"\{\w*\}", text)]
