from collections.abc import Sequence

import msgspec
import pytest
from tests.unit.made import the_results

from bakeoff.judge.case.steady_state import Kind
from bakeoff.records import RunRecord, Summary, Tolerances, Verdict
from bakeoff.report import notes
from bakeoff.report.markdown import to_markdown
from bakeoff.report.terminal import to_text

pytestmark = pytest.mark.unit

Rows = Sequence[Summary]


def of(rows: Rows, *engines: str) -> list[Summary]:
    return [row for row in rows if row.case.contender.name in engines and row.case.batch_size == 1]


def verdict(model: str, sentence: str, league: str = "fp32") -> Verdict:
    return Verdict(model=model, batch_size=1, league=league, device="cpu", leader="", standings=(), sentence=sentence)


def test_every_table_has_its_verdict_in_the_order_of_the_rows(run: RunRecord, rows: Rows) -> None:
    found = notes.verdict_lines(
        the_results(run, of(rows, "openvino"), [verdict("resnet50", "B."), verdict("resnet18", "A.")])
    )
    assert found == ["resnet18, batch 1: A.", "resnet50, batch 1: B."]


def test_a_table_without_a_verdict_says_that_nothing_was_measured(run: RunRecord, rows: Rows) -> None:
    assert notes.verdict_lines(the_results(run, of(rows, "ncnn"))) == [
        "resnet18, batch 1: nothing was measured.",
        "resnet50, batch 1: nothing was measured.",
    ]


def test_leagues_are_named_where_there_are_several(run: RunRecord, rows: Rows) -> None:
    both = [verdict("resnet18", "A."), verdict("resnet18", "B.", "int8"), verdict("resnet50", "C.")]
    assert notes.verdict_lines(the_results(run, of(rows, "openvino"), both))[:2] == [
        "resnet18, batch 1: fp32: A.",
        "resnet18, batch 1: int8: B.",
    ]


def test_cautions_are_told_once_for_each_engine_and_kind(rows: Rows) -> None:
    assert notes.cautions(rows) == [
        "provisional, with 2 rounds: keras",
        "keras (resnet18 batch 1): cores: 3.1 used with 2 threads asked (and 7 more of its cells)",
    ]


def test_a_caution_of_the_whole_table_is_told_once(rows: Rows) -> None:
    all_new = [msgspec.structs.replace(row, cautions=("provisional: 2 rounds",)) for row in rows if row.fps]
    assert notes.cautions(all_new) == ["all: provisional: 2 rounds"]


def test_what_was_found_of_the_machine_stands_below_the_table_with_what_to_do(run: RunRecord, rows: Rows) -> None:
    line = "battery: the machine runs from its battery; plug it in"
    assert notes.findings(run) == [line]
    for document in (to_text(the_results(run, rows)), to_markdown(the_results(run, rows))):
        assert document.index("The machine, before the race") < document.index(line)
    unblemished = msgspec.structs.replace(run, audit=())
    assert "before the race" not in to_text(the_results(unblemished, rows)) + to_markdown(
        the_results(unblemished, rows)
    )


def test_a_reference_other_than_float64_is_named(run: RunRecord) -> None:
    tolerances = Tolerances(fp32=1e-3, fp16=1e-3, bf16=1e-3)
    other = msgspec.structs.replace(run.models[0], reference="openvino alone", tolerances=tolerances)
    said = f"errors on {other.name}: against openvino alone, wrong beyond 1.0e-03, a fixed number"
    assert notes.tolerances(msgspec.structs.replace(run, models=(other,))) == [said]


def test_cautions_are_grouped_by_what_they_ask_of_the_reader(run: RunRecord, rows: Rows) -> None:
    leaking = [msgspec.structs.replace(rows[0], cautions=("leak: memory grew by 1 MB a call, to 900 MB",)), *rows[1:]]
    groups = dict(notes.caution_groups(the_results(run, leaking, remarks=("canary: the machine was faster",))))
    assert groups == {
        notes.LONGER: ["canary: the machine was faster", "provisional, with 2 rounds: keras"],
        notes.OTHERWISE: ["keras (resnet18 batch 1): cores: 3.1 used with 2 threads asked (and 7 more of its cells)"],
        notes.ENGINE: ["openvino (resnet18 batch 1): leak: memory grew by 1 MB a call, to 900 MB"],
    }
    assert notes.caution_groups(the_results(run, rows[:1])) == []


def test_every_kind_of_course_asks_to_look_at_the_engine() -> None:
    kinds = set(Kind) - {Kind.FLAT}
    assert {notes.ASKED_OF_READERS[kind] for kind in kinds} == {notes.ENGINE}
