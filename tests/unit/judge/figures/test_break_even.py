import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.made import a_case, a_measurement, a_row

from bakeoff.judge.figures.break_even import break_even, leads
from bakeoff.records import Lead, Status, Summary, Trial

pytestmark = pytest.mark.unit

LINES = st.dictionaries(
    st.sampled_from("abcde"), st.tuples(st.integers(0, 400), st.integers(1, 20)), min_size=1, max_size=5
)


def trial(engine: str, *, start_s: float, cold: bool = True, status: Status = Status.OK) -> Trial:
    measured = a_measurement(
        latencies=((0.1,),),
        load_s=start_s / 2,
        prepare_s=9.0,
        first_inference_s=start_s / 4,
        import_s=start_s / 4,
        cold=cold,
    )
    case = a_case(engine=engine, model="m", batch_size=4, threads=2)
    return Trial(round=1, case=case, status=status, measurement=measured)


def row(engine: str, fps: float | None, league: str = "fp32") -> Summary:
    return a_row(
        a_case(engine=engine, model="m", batch_size=4, threads=2),
        status=Status.OK if fps else Status.FAILED,
        framework_version="1",
        fps=fps,
        trials=1,
        league=league,
    )


def test_a_quick_start_leads_until_the_quicker_inference_has_caught_up() -> None:
    # 1 + (n - 1) x 0.1 against 3 + (n - 1) x 0.05: as soon as each other with 41 inferences.
    assert leads({"light": (1.0, 0.1), "fast": (3.0, 0.05)}) == [
        Lead(contender="light", first=1, last=41),
        Lead(contender="fast", first=42, last=None),
    ]


def test_who_starts_first_and_goes_on_fastest_leads_however_many_there_are() -> None:
    assert leads({"slow": (2.0, 0.2), "best": (1.0, 0.1)}) == [Lead(contender="best", first=1, last=None)]
    assert leads({}) == []


@given(LINES)
def test_the_leader_of_every_number_is_through_the_soonest(lines: dict[str, tuple[int, int]]) -> None:
    found = leads({engine: (float(start), float(each)) for engine, (start, each) in lines.items()})
    assert found[0].first == 1
    assert found[-1].last is None
    for n in range(1, 500):
        (leader,) = (lead for lead in found if lead.first <= n and (lead.last is None or n <= lead.last))
        seconds = {engine: start + (n - 1) * each for engine, (start, each) in lines.items()}
        assert seconds[leader.contender] == min(seconds.values())


def test_a_start_is_the_median_over_fresh_processes_of_import_load_and_first_inference() -> None:
    trials = [trial("a", start_s=seconds) for seconds in (1.0, 2.0, 30.0)]
    trials += [trial("a", start_s=99.0, cold=False), trial("a", start_s=99.0, status=Status.WRONG)]
    (found,) = break_even([row("a", 40.0)], trials)
    assert found.start_s == {"a": 2.0}


def test_engines_without_a_cold_start_or_a_speed_are_left_out_and_the_first_are_named() -> None:
    trials = [trial("a", start_s=1.0), trial("warm", start_s=1.0, cold=False), trial("broken", start_s=0.1)]
    (found,) = break_even([row("a", 40.0), row("warm", 80.0), row("broken", None)], trials)
    assert found.leads == (Lead(contender="a", first=1, last=None),)
    assert found.unknown == ("warm",)


def test_leagues_are_never_ranked_together() -> None:
    trials = [trial("a", start_s=1.0), trial("coarse", start_s=0.1)]
    fp32, bf16 = break_even([row("a", 40.0), row("coarse", 80.0, league="bf16")], trials)
    assert (fp32.league, [lead.contender for lead in fp32.leads]) == ("fp32", ["a"])
    assert (bf16.league, [lead.contender for lead in bf16.leads]) == ("bf16", ["coarse"])
