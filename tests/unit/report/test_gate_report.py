import json
import xml.etree.ElementTree as ET

import msgspec
import pytest
from tests.unit.made import a_case

from bakeoff.report import comparison, gate
from bakeoff.report.markup import as_json
from bakeoff.scorecards import Calibration, Change, Compared, ComparisonReport, Gate, GateCase, GateOutcome, Method

pytestmark = pytest.mark.unit


def judged(engine: str, outcome: GateOutcome, reason: str = "") -> GateCase:
    return GateCase(
        case=a_case(engine=engine, model="res|net", batch_size=1, threads=2),
        outcome=outcome,
        ratio=0.9,
        interval=(0.85, None),
        reason=reason,
    )


GATE = Gate(
    outcome=GateOutcome.FAIL,
    method=Method.PAIRED,
    max_slowdown=0.05,
    baseline="then",
    run="now",
    cases=(
        judged("slow", GateOutcome.FAIL),
        judged("even", GateOutcome.PASS),
        judged("open", GateOutcome.UNDECIDED, "about 7 more rounds (about 3 more minutes) would tell"),
    ),
    notes=("slow: version 1, now 2",),
    unlike=("load: others used the CPUs",),
    cautions=("now, slow: disturbed",),
)
CASE = GATE.cases[0].case
COMPARISON = ComparisonReport(
    indifference=0.02,
    before="then",
    after="now",
    cases=(
        Compared(
            before=CASE,
            after=CASE,
            method=Method.CANARY,
            change=Change.SLOWER,
            ratio=0.9,
            interval=(0.85, 0.95),
            fps_before=100.0,
            fps_after=90.0,
            canary=Calibration(ratio=0.88, share=0.25),
        ),
    ),
    refused=("m: not the same network (1, 2)",),
    notes=(),
    unlike=("threads: 2, now 1",),
    cautions=("then, a: cores: 2 asked",),
)


@pytest.mark.parametrize("render", [gate.to_text, gate.to_markdown])
def test_people_read_the_answer_first_then_every_case(render: object) -> None:
    assert callable(render)
    text = render(GATE)
    assert text.lstrip("*").startswith("FAIL: 1 case is slower by more than 5% (now against then, both raced in the")
    for words in ("slow", "0.90x [0.85–-]", "about 7 more rounds", "version 1, now 2", "now, slow: disturbed"):  # noqa: RUF001
        assert words in text.replace("\n", " "), words
    assert text.index("load: others used the CPUs") < text.index("0.90x")


@pytest.mark.parametrize(
    ("outcome", "begin"), [(GateOutcome.PASS, "PASS: nothing is slower"), (GateOutcome.UNDECIDED, "UNDECIDED: whether")]
)
def test_the_answer_names_its_outcome(outcome: GateOutcome, begin: str) -> None:
    assert gate.to_text(msgspec.structs.replace(GATE, outcome=outcome)).startswith(begin)


def test_junit_counts_a_failure_and_a_skip_as_ci_systems_read_them() -> None:
    suite = ET.fromstring(gate.to_junit(GATE))[0]  # noqa: S314 - our own
    assert {key: suite.get(key) for key in ("tests", "failures", "skipped")} == {
        "tests": "3",
        "failures": "1",
        "skipped": "1",
    }
    failed, passed, skipped = suite.findall("testcase")
    assert (failed.get("classname"), failed.get("name")) == ("slow", "res|net, batch 1")
    assert "slower than it may be" in str(failed[0].get("message"))
    assert len(passed) == 0
    assert skipped[0].tag == "skipped"


def test_json_holds_every_field_and_null_for_the_unbounded() -> None:
    document = json.loads(as_json(GATE))
    assert (document["outcome"], document["cases"][0]["interval"]) == ("fail", [0.85, None])
    assert json.loads(as_json(COMPARISON))["cases"][0]["change"] == "slower"


def test_a_bar_in_a_name_does_not_break_a_markdown_table() -> None:
    assert "res\\|net" in gate.to_markdown(GATE)
    assert "res\\|net" in comparison.to_markdown(COMPARISON)


@pytest.mark.parametrize("render", [comparison.to_text, comparison.to_markdown])
def test_a_comparison_says_what_was_refused_and_what_differs(render: object) -> None:
    assert callable(render)
    text = render(COMPARISON)
    assert text.startswith("now against then, relative to the canary as far as it explains them\n\nNot like with like:")
    assert text.index("threads: 2, now 1") < text.index("0.90x")
    canary = "ran at 0.88x its speed of before: 25% of that"
    for words in ("0.90x [0.85–0.95]", "slower", "Not compared:", "not the same network", canary, "then, a: cores"):  # noqa: RUF001
        assert words in text, words
