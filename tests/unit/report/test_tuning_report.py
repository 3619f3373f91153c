"""What tuning prints."""

import json

import pytest

from bakeoff.judge.tuning.found import Confirmed, Effect, LeftOut, Point, Tuned
from bakeoff.records import Contender, Limits
from bakeoff.report.tuning import to_json, to_markdown, to_text
from bakeoff.scorecards import Change

pytestmark = pytest.mark.unit

QUIET = "ort[spin=false]"


def a_confirmed(name: str, *, gain: float | None, change: Change | None, memory_mb: float | None = 200.0) -> Confirmed:
    turned = () if gain is None else (("spin", False),)
    return Confirmed(
        point=Point(contender=Contender(name=name, engine="ort"), default="ort", values=turned, turned=turned),
        fps=31.2,
        fps_ci95=(30.6, 31.8),
        latency_ms=32.1,
        memory_mb=memory_mb,
        start_s=0.9,
        error=4e-6,
        gain=gain,
        interval=None if gain is None else (gain - 0.05, gain + 0.05),
        change=change,
        pareto=True,
    )


def said(*, memory_mb: float | None = 200.0) -> Tuned:
    default = a_confirmed("ort", gain=None, change=None, memory_mb=memory_mb)
    quiet = a_confirmed(QUIET, gain=1.24, change=Change.FASTER, memory_mb=memory_mb)
    arena = a_confirmed("ort[arena=false]", gain=1.01, change=Change.UNDECIDED, memory_mb=memory_mb)
    return Tuned(
        model="resnet18",
        objective="latency",
        batch_size=1,
        indifference=0.02,
        limits=Limits(),
        sentence="ort with spin=false: 32.1 ms",
        answer=QUIET,
        confirmed=(default, quiet, arena),
        effects=(
            Effect(engine="ort", knob="spin", value=False, default=True, ratio=1.2, interval=(1.1, 1.3), points=8),
            Effect(engine="ort", knob="block", value=4, default=0, ratio=0.9, interval=(0.8, 1.0), points=8),
        ),
        left_out=(LeftOut(name="ort[block=4]", reason="failed: SIG|SEGV\nat once"),),
        points=9,
        raced=8,
        searched=("r1", "r2"),
        run="r3",
        state="finished",
    )


def test_the_answer_comes_first_and_then_what_it_rests_on() -> None:
    text = to_text(said(), width=120)
    assert text.startswith(
        "resnet18, batch 1, for latency: ort with spin=false: 32.1 ms\n\nConfirmed in run r3, finished"
    )
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "ort 31.2 ±2% 32.1 its own default" in lines
    assert f"{QUIET} 31.2 ±2% 32.1 1.24x [1.19–1.29] faster; the answer" in lines  # noqa: RUF001
    assert "ort[arena=false] 31.2 ±2% 32.1 ? 1.01x [0.96–1.06] undecided" in lines  # noqa: RUF001
    assert "ort spin=false instead of true 1.20x [1.10–1.30] 8" in lines  # noqa: RUF001
    assert "ort block=4 instead of 0 0.90x [0.80–1.00] 8" in lines  # noqa: RUF001
    assert "ort[block=4]: failed: SIG|SEGV at once" in lines
    assert (
        "The search, runs r1 and r2: 8 of 9 points have a speed. None of its figures stands here but effects." in lines
    )
    assert text.endswith("How to use it: bakeoff recipe r3 --engine 'ort[spin=false]'\n")
    assert "none is beaten in all three" in text


def test_where_memory_was_not_measured_there_is_no_front() -> None:
    assert "beaten in all three" not in to_text(said(memory_mb=None), width=120)


def test_markdown_is_a_page_that_nothing_in_it_can_break() -> None:
    page = to_markdown(said())
    assert page.startswith("resnet18, batch 1, for latency: **ort with spin=false: 32.1 ms**")
    assert "- ort\\[block=4]: failed: SIG\\|SEGV at once" in page
    assert f"| {QUIET} | 31.2 ±2% |" in page


def test_json_holds_everything() -> None:
    found = json.loads(to_json(said()))
    assert found["answer"] == QUIET
    assert found["confirmed"][1]["interval"] == [1.19, 1.29]
    assert found["confirmed"][1]["change"] == "faster"
