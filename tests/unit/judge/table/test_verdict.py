import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.made import a_case, a_measurement, a_plan

from bakeoff.errors import UsageError
from bakeoff.judge.case.summary import summarise
from bakeoff.judge.results import Results
from bakeoff.judge.table.looks import at_once
from bakeoff.judge.table.verdict import duration, judge, log_throughputs, verdicts
from bakeoff.judge.table.verdict_sentence import Share, sentence
from bakeoff.records import Outcome, RunRecord, Standing, Status, Trial, Verdict

pytestmark = pytest.mark.unit


def trial(engine: str, round_: int, fps: float, **case: Any) -> Trial:
    """Two latencies in one burst that make this throughput."""
    fields: dict[str, Any] = {"model": "m", "batch_size": 4, "threads": 2} | case
    latency = fields["batch_size"] / fps
    return Trial(
        round=round_,
        case=a_case(engine=engine, **fields),
        status=Status.OK,
        measurement=a_measurement(latencies=((latency, latency),), load_s=1.0, first_inference_s=0.5, import_s=0.1),
    )


def race(true: Mapping[str, float], rounds: int = 10, sd: float = 0.01, seed: int = 0, **case: Any) -> list[Trial]:
    """Trials of engines with these throughputs, with noise and a drift that each round shares."""
    rng = np.random.default_rng(seed)
    drift = rng.normal(0, 0.08, rounds)
    return [
        trial(engine, r + 1, fps * math.exp(drift[r] + rng.normal(0, sd)), **case)
        for r in range(rounds)
        for engine, fps in true.items()
    ]


def one(trials: Sequence[Trial], **options: Any) -> Verdict:
    (verdict,) = verdicts(trials, **options)
    return verdict


def outcomes(verdict: Verdict) -> dict[str, Outcome]:
    return {standing.contender: standing.outcome for standing in verdict.standings}


def standing(verdict: Verdict, engine: str) -> Standing:
    return next(one for one in verdict.standings if one.contender == engine)


# Outcomes


def test_a_clear_lead_names_the_leader_and_by_how_much_the_others_lose() -> None:
    verdict = one(race({"slow": 50.0, "fast": 100.0, "middle": 80.0}))
    assert verdict.leader == "fast"
    assert [s.contender for s in verdict.standings] == ["fast", "middle", "slow"]
    assert outcomes(verdict) == {"fast": Outcome.LEADER, "middle": Outcome.SLOWER, "slow": Outcome.SLOWER}
    slow = standing(verdict, "slow")
    assert slow.ratio == pytest.approx(2.0, rel=0.02)
    assert slow.interval is not None
    assert slow.interval[0] < 2.0 < slow.interval[1]
    assert verdict.decided


TWO = {"fast": 100.0, "slow": 70.0}


@pytest.mark.parametrize(
    ("other", "decided"),
    [({"batch_size": 1}, True), ({"batch_size": 1, "model": "n"}, False)],
)
def test_three_rounds_decide_with_the_variances_of_the_model_s_other_batch_sizes(
    other: dict[str, Any], decided: bool
) -> None:
    trials = race(TWO, rounds=3, sd=0.05)
    alone = one(trials)
    assert not alone.decided
    more = [each for seed in (1, 2, 3) for each in race(TWO, 3, 0.05, seed, **other | {"batch_size": 2**seed * 8})]
    assert verdicts([*trials, *more])[0].decided is decided


def test_a_league_lends_no_variance_to_another() -> None:
    trials = race(TWO, rounds=3, sd=0.05)
    more = [each for seed in (1, 2, 3) for each in race(TWO, 3, 0.05, seed, batch_size=2**seed * 8)]
    league = {trial.case: "bf16" for trial in more}
    assert not verdicts([*trials, *more], league=lambda case: league.get(case, "fp32"))[0].decided


def test_the_leader_s_interval_is_its_lead_over_the_best_of_the_others() -> None:
    verdict = one(race({"fast": 100.0, "middle": 80.0, "slow": 50.0}))
    lead, middle = verdict.standings[:2]
    assert lead.interval is not None
    assert middle.interval is not None
    assert lead.ratio == pytest.approx(1 / (middle.ratio or 0))
    assert lead.interval == pytest.approx((1 / middle.interval[1], 1 / middle.interval[0]))


def test_equal_engines_are_equivalent_once_the_interval_is_inside_2_percent() -> None:
    verdict = one(race({"a": 100.0, "b": 100.0}, rounds=20, sd=0.005))
    assert verdict.standings[1].outcome is Outcome.EQUIVALENT
    assert verdict.decided


def test_ignorance_is_undecided_and_not_equivalent() -> None:
    verdict = one(race({"a": 100.0, "b": 100.0}, rounds=5, sd=0.03))
    loser = verdict.standings[1]
    assert loser.outcome is Outcome.UNDECIDED
    assert loser.more_rounds
    assert not verdict.decided


def test_a_difference_below_the_minimum_effect_is_never_slower() -> None:
    """Certainly behind, but by too little to act on."""
    verdict = one(race({"a": 101.0, "b": 100.0}, rounds=40, sd=0.002))
    assert outcomes(verdict) == {"a": Outcome.LEADER, "b": Outcome.EQUIVALENT}
    interval = standing(verdict, "b").interval
    assert interval is not None
    assert interval[0] > 1.0


def test_a_difference_around_the_minimum_effect_is_undecided_though_certain() -> None:
    verdict = one(race({"a": 102.0, "b": 100.0}, rounds=10, sd=0.003))
    assert outcomes(verdict)["b"] is Outcome.UNDECIDED


@pytest.mark.parametrize(("rounds", "wide"), [(2, 1.7), (3, 1.15), (4, 1.1)])
def test_few_rounds_have_honest_wide_intervals(rounds: int, wide: float) -> None:
    """Of the median race, in which two trials differ by 3%."""
    widths = []
    for seed in range(21):
        interval = one(race({"a": 100.0, "b": 90.0}, rounds=rounds, sd=0.02, seed=seed)).standings[1].interval
        widths.append(interval[1] / interval[0] if interval else math.inf)
    assert np.median(widths) > wide


def test_one_round_in_common_decides_nothing() -> None:
    verdict = one(race({"a": 100.0, "b": 50.0}, rounds=1))
    assert [(s.outcome, s.ratio, s.interval) for s in verdict.standings[1:]] == [(Outcome.UNDECIDED, None, None)]
    assert verdict.sentence == "a is ahead so far; a single round decides nothing."


def test_an_engine_dropped_early_keeps_the_verdict_of_its_rounds() -> None:
    trials = [
        t
        for t in race({"a": 100.0, "b": 98.0, "slow": 40.0}, rounds=20)
        if t.case.contender.name != "slow" or t.round <= 5
    ]
    verdict = one(trials)
    dropped = standing(verdict, "slow")
    assert (dropped.outcome, dropped.rounds) == (Outcome.SLOWER, 5)


def test_one_look_at_fixed_rounds_has_narrower_intervals() -> None:
    trials = race({"a": 100.0, "b": 95.0}, rounds=10, sd=0.02)
    often, once = one(trials).standings[1].interval, one(trials, critical=at_once).standings[1].interval
    assert often is not None
    assert once is not None
    assert once[0] > often[0]


def test_the_only_engine_is_the_leader_of_nobody() -> None:
    verdict = one(race({"a": 100.0}))
    assert [(s.outcome, s.ratio, s.interval, s.rounds) for s in verdict.standings] == [(Outcome.LEADER, None, None, 10)]
    assert verdict.sentence == "a is the only engine with a speed here."


# Which trials count


def test_every_table_has_its_own_verdict() -> None:
    trials = [
        *race({"a": 2.0, "b": 1.0}, batch_size=1),
        *race({"a": 1.0, "b": 2.0}, batch_size=8),
        *race({"c": 1.0}, batch_size=8, precision="int8"),
    ]
    found = verdicts(trials)
    assert [(v.model, v.batch_size, v.league, v.device, v.leader) for v in found] == [
        ("m", 1, "fp32", "cpu", "a"),
        ("m", 8, "fp32", "cpu", "b"),
        ("m", 8, "int8", "cpu", "c"),
    ]


def test_leagues_are_never_mixed() -> None:
    found = verdicts(race({"a": 2.0, "q": 9.0}), league=lambda case: "int8" if case.contender.name == "q" else "fp32")
    assert [(v.league, v.leader) for v in found] == [("fp32", "a"), ("int8", "q")]


def test_a_run_is_judged_in_the_leagues_of_its_rows() -> None:
    plan = a_plan(models=("m",), engines=("a", "b", "q"), batch_sizes=(4,), threads=2)
    run = RunRecord(name="1", started_at=0.0, plan=plan, machine={}, bakeoff_version="0")
    trials = race({"a": 2.0, "b": 1.0, "q": 9.0})
    rows = [
        msgspec.structs.replace(row, league="bf16" if row.case.contender.name == "q" else "fp32")
        for row in summarise(run, trials)
    ]
    found = judge(run, rows, trials, 0.02)
    assert [(v.league, v.leader, len(v.standings)) for v in found] == [("fp32", "a", 2), ("bf16", "q", 1)]


def test_wrong_answers_failures_and_round_0_have_no_speed() -> None:
    good = trial("a", 1, 100.0)
    trials = [
        good,
        msgspec.structs.replace(trial("a", 2, 1.0), status=Status.FAILED),
        trial("a", 0, 1.0),
        trial("w", 1, 900.0),
        msgspec.structs.replace(trial("w", 2, 900.0), status=Status.WRONG),
        msgspec.structs.replace(trial("n", 1, 1.0), measurement=None),
    ]
    assert log_throughputs(trials) == {"a": {1: pytest.approx(math.log(100.0))}}


def test_of_a_repeated_round_the_last_trial_counts() -> None:
    assert log_throughputs([trial("a", 1, 50.0), trial("a", 1, 100.0)])["a"][1] == pytest.approx(math.log(100.0))


def test_without_a_measured_trial_there_is_no_verdict() -> None:
    assert verdicts([msgspec.structs.replace(trial("a", 1, 1.0), status=Status.TIMED_OUT)]) == []


def test_a_verdict_survives_json() -> None:
    verdict = one(race({"a": 100.0, "b": 50.0}))
    assert msgspec.json.decode(msgspec.json.encode(verdict), type=Verdict) == verdict


@given(
    fps=st.lists(st.floats(0.1, 1e4), min_size=1, max_size=5),
    rounds=st.integers(1, 6),
    sd=st.floats(0, 0.5),
    seed=st.integers(0, 1000),
)
def test_any_race_has_one_verdict_with_every_engine_once(fps: list[float], rounds: int, sd: float, seed: int) -> None:
    engines = {f"e{i}": value for i, value in enumerate(fps)}
    verdict = one(race(engines, rounds=rounds, sd=sd, seed=seed))
    assert sorted(s.contender for s in verdict.standings) == sorted(engines)
    assert [s.contender for s in verdict.standings if s.outcome is Outcome.LEADER] == [verdict.leader]
    assert verdict.sentence.endswith(".")
    for s in verdict.standings:
        assert s.more_rounds is None or s.outcome is Outcome.UNDECIDED
        assert s.interval is None or 0 <= s.interval[0] <= s.interval[1]


# The sentence


def share(engine: str, outcome: str, ratio: float = 1.0, wait: str = "") -> Share:
    return Share(contender=engine, outcome=outcome, ratio=ratio, interval=(ratio - 0.04, ratio + 0.04), wait=wait)


LEADER = share("openvino", "leader", 0.9)


def test_a_clear_winner_is_named_with_its_lead_and_the_others_with_their_loss() -> None:
    assert sentence([LEADER, share("onnxruntime", "slower", 1.12)]) == (
        "openvino is 1.12x [1.08–1.16] faster than onnxruntime."  # noqa: RUF001
    )
    said = sentence([LEADER, *(share(e, "slower", r) for e, r in (("onnxruntime", 1.12), ("jax", 2.0), ("mnn", 3.0)))])
    assert said == (
        "openvino is 1.12x [1.08–1.16] faster than onnxruntime; "  # noqa: RUF001
        "jax is 2.00x [1.96–2.04] and mnn is 3.00x [2.96–3.04] slower."  # noqa: RUF001
    )


def test_ties_and_open_questions_come_before_the_rest() -> None:
    said = sentence(
        [
            LEADER,
            share("onnxruntime", "equivalent"),
            share("pytorch-compile", "equivalent"),
            share("tensorflow", "undecided", wait="about 9 more minutes"),
            *(share(f"e{i}", "slower", 1.5 + i) for i in range(5)),
        ]
    )
    assert said == (
        "openvino leads; onnxruntime and pytorch-compile are equivalent to it; "
        "tensorflow is undecided: between 4% slower and 5% faster (about 9 more minutes); "
        "the other 5 are 1.50x (e0) to 5.50x (e4) slower."
    )


def test_with_ties_and_nothing_open_the_leader_is_fastest() -> None:
    assert sentence([LEADER, share("a", "equivalent")]) == "openvino is fastest; a is equivalent to it."


def test_whoever_is_undecided_has_its_interval_and_what_it_waits_for() -> None:
    said = sentence([LEADER, *(share(e, "undecided", wait="about 2 more rounds") for e in ("a", "b"))])
    assert said == (
        "openvino leads; a is undecided: between 4% slower and 5% faster (about 2 more rounds); "
        "b is undecided: between 4% slower and 5% faster (about 2 more rounds)."
    )


def test_fifteen_engines_still_make_a_readable_sentence() -> None:
    true = {f"engine-{i:02}": 100.0 / 1.2**i for i in range(15)}
    said = one(race(true)).sentence
    assert said.startswith("engine-00 is 1.19x [1.17–1.21] faster than engine-01; ")  # noqa: RUF001
    assert "the other 13 are 1.4" in said
    assert len(said) < 160


def test_the_wait_is_told_in_time_where_the_pace_of_rounds_is_known() -> None:
    trials = race({"a": 100.0, "b": 96.0}, rounds=5, sd=0.02)
    more = one(trials).standings[1].more_rounds
    assert more
    assert f"(about {more} more rounds)" in one(trials).sentence
    assert f"(about {more} more minutes)" in one(trials, seconds_per_round=lambda _: 60.0).sentence


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "1 more second"),
        (40, "40 more seconds"),
        (89, "89 more seconds"),
        (90, "2 more minutes"),
        (540, "9 more minutes"),
        (3 * 3600, "3 more hours"),
        (4 * 86_400, "4 more days"),
    ],
)
def test_durations_are_in_the_unit_people_use(seconds: float, words: str) -> None:
    assert duration(seconds) == words


# What nobody would act on


def test_what_a_wide_indifference_calls_equivalent_a_narrow_one_leaves_open_or_calls_slower() -> None:
    trials = race({"a": 100.0, "b": 97.0}, rounds=20, sd=0.003)
    found = {wide: standing(one(trials, indifference=wide), "b") for wide in (0.005, 0.03, 0.1)}
    assert [each.outcome for each in found.values()] == [Outcome.SLOWER, Outcome.UNDECIDED, Outcome.EQUIVALENT]
    assert len({each.interval for each in found.values()}) == 1


def test_a_race_is_judged_at_what_it_was_sized_for_or_wider_but_not_narrower() -> None:
    plan = a_plan(models=("m",), engines=("a",), batch_sizes=(1,), indifference=0.05)
    run = RunRecord(name="r", started_at=0.0, plan=plan, machine={}, bakeoff_version="0")
    assert Results(run, ()).indifference == 0.05
    assert Results(run, (), 0.1).indifference == 0.1
    with pytest.raises(UsageError, match=r"raced for an indifference of 5%.* at 2% it cannot be judged"):
        Results(run, (), 0.02)
    with pytest.raises(UsageError, match="no share above 0"):
        Results(run, (), 0.0)
