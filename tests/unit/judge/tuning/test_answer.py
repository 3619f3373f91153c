"""What is fit to be an answer, and which answer a confirmation gives."""

import math
from collections.abc import Sequence
from typing import Any

import pytest
from tests.unit.made import a_measurement, a_plan

from bakeoff.judge.results import Results
from bakeoff.judge.tuning.answer import answer, confirm, sentence
from bakeoff.judge.tuning.found import Confirmed, Point
from bakeoff.judge.tuning.limits import unfit
from bakeoff.records import (
    Case,
    Contender,
    EngineInfo,
    Limits,
    ModelRecord,
    Parity,
    RunRecord,
    Status,
    Tolerances,
    Trial,
)
from bakeoff.scorecards import Change

pytestmark = pytest.mark.unit

ROUNDS = 8
TOLERANCES = Tolerances(fp32=1e-4, fp16=1e-2, bf16=1e-1, rounding={"fp32": 1e-6, "fp16": 1e-3, "bf16": 1e-2})


def a_point(name: str, default: str, *turned: tuple[str, Any]) -> Point:
    contender = Contender(name=name, engine=default).having(**{"threads": 1, **dict(turned)})
    return Point(contender=contender, default=default, values=turned, turned=turned)


POINTS = {
    point.name: point
    for point in (
        a_point("ort", "ort"),
        a_point("ov", "ov"),
        a_point("ort[spin=false]", "ort", ("spin", False)),
        a_point("ort[spin=false,threads=2]", "ort", ("spin", False), ("threads", 2)),
    )
}


def trials(name: str, speed: float, *, rounds: int = ROUNDS, **fields: Any) -> list[Trial]:
    """Of a contender of POINTS at so many calls a second, with a noise of 1%."""
    contender = POINTS[name].contender
    settings = dict(contender.settings)
    usual: dict[str, Any] = {
        "status": Status.OK,
        "parity": Parity(max_rel_error=4e-6, top1_agreement=1.0),
        "requested": settings,
        "effective": settings,
    }
    found = []
    for number in range(1, rounds + 1):
        latency = 1 / speed * math.exp(0.01 * math.sin(7 * number + len(name)))
        measured = a_measurement([[latency] * 4], peak_rss_mb=200.0, import_s=0.5, load_s=0.3, first_inference_s=0.2)
        case = Case(contender=contender, model="m", batch_size=1)
        found.append(Trial(round=number, case=case, measurement=measured, started_at=float(number), **usual | fields))
    return found


def results(*of: Sequence[Trial]) -> Results:
    every = [trial for each in of for trial in each]
    contenders = tuple(dict.fromkeys(trial.case.contender for trial in every))
    run = RunRecord(
        name="r",
        started_at=0.0,
        plan=msgspec_plan(contenders),
        machine={},
        bakeoff_version="0",
        models=(ModelRecord(name="m", digest="1", weights="", inputs=(), outputs=(), tolerances=TOLERANCES),),
        engines=tuple(
            EngineInfo(name=name, title=name, framework=name, release="today", league="fp32") for name in ("ort", "ov")
        ),
        state="finished",
    )
    return Results(run, every)


def msgspec_plan(contenders: tuple[Contender, ...]) -> Any:
    import msgspec  # noqa: PLC0415

    return msgspec.structs.replace(a_plan(models=("m",), engines=(), batch_sizes=(1,)), contenders=contenders)


def said(found: Results, limits: Limits | None = None) -> tuple[Confirmed | None, list[Confirmed], str]:
    confirmed, comparison = confirm(found, POINTS, limits or Limits())
    chosen = answer(confirmed, comparison)
    return chosen, confirmed, sentence(chosen, confirmed, comparison)


def test_a_certainly_faster_setting_is_the_answer_with_its_gain_its_memory_and_its_error() -> None:
    found = results(
        trials("ort", 25), trials("ov", 16), trials("ort[spin=false]", 31), trials("ort[spin=false,threads=2]", 28)
    )
    chosen, confirmed, text = said(found)
    assert chosen
    assert chosen.point.name == "ort[spin=false]"
    assert chosen.change is Change.FASTER
    assert chosen.gain == pytest.approx(31 / 25, rel=0.02)
    assert chosen.interval
    assert chosen.interval[0] < 31 / 25 < chosen.interval[1]
    assert text.startswith("ort with spin=false: 32")
    assert f"{chosen.gain:.2f}x [{chosen.interval[0]:.2f}" in text
    assert text.endswith("faster than its default, 1.94x ov as it is; 200 MB; the same answer to 4e-06")
    assert [each.gain is None for each in confirmed] == [True, True, False, False]


def test_where_nothing_is_certainly_faster_the_answer_is_the_default() -> None:
    chosen, _, text = said(results(trials("ort", 25), trials("ort[spin=false]", 25.1)))
    assert chosen
    assert chosen.point.name == "ort"
    assert text.startswith("ort: 40")
    assert "no other setting is certainly faster: ort with spin=false is between" in text


def test_the_fastest_default_is_the_answer_before_a_tuned_setting_of_a_slower_engine() -> None:
    chosen, _, text = said(results(trials("ort", 20), trials("ov", 40), trials("ort[spin=false]", 30)))
    assert chosen
    assert chosen.point.name == "ov"
    assert "no other setting of it was confirmed" in text


def test_what_breaks_a_limit_is_no_answer_and_need_not_be_beaten() -> None:
    frugal = trials("ort[spin=false]", 20)
    greedy = [
        Trial(**{**as_fields(trial), "measurement": replaced(trial, peak_rss_mb=900.0)}) for trial in trials("ort", 25)
    ]
    chosen, confirmed, text = said(results(greedy, frugal), Limits(memory_mb=500.0))
    assert chosen
    assert chosen.point.name == "ort[spin=false]"
    assert chosen.change is Change.SLOWER
    assert confirmed[0].unfit == "its memory, 900 MB, is over 500 MB"
    assert "its default is no answer: its memory, 900 MB, is over 500 MB" in text
    assert "faster" not in text


def as_fields(trial: Trial) -> dict[str, Any]:
    return {name: getattr(trial, name) for name in trial.__struct_fields__}


def replaced(trial: Trial, **fields: Any) -> Any:
    import msgspec  # noqa: PLC0415

    assert trial.measurement
    return msgspec.structs.replace(trial.measurement, **fields)


@pytest.mark.parametrize(
    ("limits", "slack", "reason"),
    [
        (Limits(memory_mb=190.0), 1.0, "its memory, 200 MB, is over 190 MB"),
        (Limits(memory_mb=190.0), 1.1, None),
        (Limits(start_s=0.5), 1.0, "its start, 1 s, is over 0.5 s"),
        (Limits(latency_s=0.03), 1.0, "its latency, 40 ms, is over 30 ms"),
        (Limits(memory_mb=200.0, start_s=1.1, latency_s=0.05), 1.0, None),
    ],
)
def test_limits(limits: Limits, slack: float, reason: str | None) -> None:
    found = unfit(results(trials("ort", 25)), POINTS, limits, slack).get("ort")
    assert (found or "")[:20] == (reason or "")[:20]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"status": Status.FAILED, "reason": "SIGSEGV", "measurement": None}, "failed: SIGSEGV"),
        ({"status": Status.TIMED_OUT, "reason": "no answer", "measurement": None}, "timed out: no answer"),
        ({"status": Status.WRONG, "reason": "off", "measurement": None}, "wrong: off"),
        (
            {"parity": Parity(max_rel_error=5e-3, top1_agreement=1.0)},
            "changes the answer: its error, 5.0e-03, is the size of fp16",
        ),
        ({"effective": {"threads": 1, "spin": True}}, "spin: False asked, True took effect"),
        ({"effective": {"threads": 1}}, "spin: False asked, and nothing tells what took effect"),
    ],
)
def test_what_fails_changes_the_answer_or_ignores_its_setting_is_unfit(fields: dict[str, Any], reason: str) -> None:
    broken = [Trial(**{**as_fields(trial), **fields}) for trial in trials("ort[spin=false]", 25)]
    assert unfit(results(trials("ort", 25), broken), POINTS, Limits()) == {"ort[spin=false]": reason}


def test_without_any_speed_there_is_no_answer() -> None:
    failed = [Trial(**{**as_fields(t), "status": Status.FAILED, "measurement": None}) for t in trials("ort", 25)]
    chosen, confirmed, text = said(results(failed))
    assert chosen is None
    assert confirmed[0].unfit.startswith("failed")
    assert text == "nothing that was confirmed is fit to be used"


def test_one_round_confirms_nothing() -> None:
    chosen, confirmed, text = said(results(trials("ort", 25, rounds=1), trials("ort[spin=false]", 50, rounds=1)))
    assert chosen
    assert chosen.point.name == "ort"
    assert confirmed[1].change is Change.UNDECIDED
    assert "undecided: too few rounds" in text


def test_the_front_holds_whoever_is_not_beaten_in_all_three() -> None:
    small = [Trial(**{**as_fields(t), "measurement": replaced(t, peak_rss_mb=50.0)}) for t in trials("ov", 10)]
    _, confirmed, _ = said(results(trials("ort", 25), small, trials("ort[spin=false]", 31)))
    assert [each.point.name for each in confirmed if each.pareto] == ["ov", "ort[spin=false]"]
