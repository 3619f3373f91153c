from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from bakeoff.judge.between_runs.pairing import pair, same_hardware
from bakeoff.records import Scenario, Status
from bakeoff.scorecards import Scorecard

pytestmark = pytest.mark.unit

MakeCard = Callable[..., Scorecard]
SPEEDS = {"a": [1.0, 1.1]}


def test_the_same_case_of_two_runs_is_a_pair_with_nothing_to_say(a_card: MakeCard) -> None:
    pairs = pair(a_card(SPEEDS), a_card(SPEEDS, name="now"))
    assert [(old.case, new.case) for old, new in pairs.cases] == [(a_card(SPEEDS).scores[0].case,) * 2]
    assert (pairs.lost, pairs.refused, pairs.notes) == ((), (), ())


def test_another_network_under_the_same_name_is_refused_with_both_digests(a_card: MakeCard) -> None:
    pairs = pair(a_card(SPEEDS, digest="1" * 64), a_card(SPEEDS, digest="2" * 64))
    assert not pairs.cases
    assert pairs.refused == ("m: not the same network (111111111111, 222222222222)",)


def test_leagues_are_never_mixed(a_card: MakeCard) -> None:
    pairs = pair(a_card(SPEEDS), a_card(SPEEDS, league="int8"))
    assert not pairs.cases
    assert pairs.refused == ("a, m, batch 1: not the same league (fp32, int8)",)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"framework_version": "2.0"}, "a: version 1.0, now 2.0"),
        (
            {"machine": {"cpu": "one", "usable_cpus": 2, "kernel": "6.2", "digest": "b"}},
            "the same machine but for kernel 6.1, now 6.2",
        ),
    ],
)
def test_what_differs_besides_is_said_and_compared_all_the_same(
    a_card: MakeCard, changes: dict[str, Any], said: str
) -> None:
    pairs = pair(a_card(SPEEDS), a_card(SPEEDS, **changes))
    assert len(pairs.cases) == 1
    assert pairs.notes == (said,)
    assert not pairs.unlike


@pytest.mark.parametrize(
    ("changes", "said", "cannot"),
    [
        ({"threads": 1}, "threads: 2, now 1; ", "cannot tell how the hours differed for several"),
        (
            {"machine": {"cpu": "two", "usable_cpus": 2, "digest": "b"}},
            "the machines differ: cpu one, now two; ",
            "cannot tell an engine's part",
        ),
        ({"disturbed": (1, 2)}, "load: others used the CPUs in now, in a, m, batch 1; ", "no interval"),
    ],
)
def test_threads_machines_and_load_that_differ_are_said_first_with_what_that_hides(
    a_card: MakeCard, changes: dict[str, Any], said: str, cannot: str
) -> None:
    pairs = pair(a_card(SPEEDS), a_card(SPEEDS, name="now", **changes))
    assert len(pairs.cases) == 1
    (line,) = pairs.unlike
    assert line.startswith(said)
    assert cannot in line
    assert not pairs.notes


def test_cautions_of_both_runs_are_kept_once_for_each_kind(a_card: MakeCard) -> None:
    both = {"a": [1.0, 1.1], "b": [1.0, 1.1]}
    before = a_card(both, cautions=["provisional: 2 rounds"])
    after = a_card(both, name="now", cautions=["provisional: 2 rounds", "cores: 2 threads asked, 1.1 busy"])
    assert pair(before, after).cautions == (
        "then, a, m, batch 1 (and 1 more case): provisional: 2 rounds",
        "now, a, m, batch 1 (and 1 more case): provisional: 2 rounds",
        "now, a, m, batch 1 (and 1 more case): cores: 2 threads asked, 1.1 busy",
    )


def test_with_several_thread_counts_only_equal_ones_are_paired(a_card: MakeCard) -> None:
    one, two = a_card(SPEEDS, threads=1), a_card(SPEEDS, threads=2)
    both = msgspec.structs.replace(two, scores=one.scores + two.scores)
    assert [(old.case.contender.threads, new.case.contender.threads) for old, new in pair(both, both).cases] == [
        (1, 1),
        (2, 2),
    ]
    assert [(old.case.contender.threads, new.case.contender.threads) for old, new in pair(both, one).cases] == [(1, 1)]


def test_an_environment_that_changed_under_the_same_version_is_noted(a_card: MakeCard) -> None:
    def of(digest: str) -> Scorecard:
        card = a_card(SPEEDS)
        return msgspec.structs.replace(
            card, scores=tuple(msgspec.structs.replace(s, environment_digest=digest) for s in card.scores)
        )

    assert pair(of("x"), of("y")).notes == ("a: the same version in another environment (its lock has changed)",)


def test_a_case_that_lost_its_speed_is_kept_apart(a_card: MakeCard) -> None:
    pairs = pair(a_card(SPEEDS), a_card(SPEEDS, status=Status.WRONG))
    assert not pairs.cases
    assert [new.status for _, new in pairs.lost] == [Status.WRONG]


def test_what_only_one_run_has_is_named(a_card: MakeCard) -> None:
    pairs = pair(a_card({"a": [1.0], "b": [1.0]}), a_card({"a": [1.0], "c": [1.0], "d": [1.0]}, name="now"))
    assert pairs.notes == ("only in then: engine b", "only in now: engines c, d")


def test_a_kernel_update_leaves_the_hardware_what_it_was(a_card: MakeCard) -> None:
    now = a_card(SPEEDS, machine={"cpu": "one", "usable_cpus": 2, "kernel": "6.2", "digest": "b"})
    assert same_hardware(a_card(SPEEDS), now)
    assert not same_hardware(a_card(SPEEDS), a_card(SPEEDS, machine={"cpu": "one", "usable_cpus": 1, "digest": "b"}))


def with_plan(card: Scorecard, **changes: Any) -> Scorecard:
    return msgspec.structs.replace(card, plan=msgspec.structs.replace(card.plan, **changes))


@pytest.mark.parametrize(
    ("then", "now", "said"),
    [
        ({}, {"scenario": Scenario.OFFLINE}, "not the same scenario (latency, offline)"),
        ({"latency_bound_s": 0.05}, {"latency_bound_s": 0.1}, "not surely the same latency bound (50 ms, 100 ms)"),
        ({}, {"latency_bound_s": 0.05}, "not surely the same latency bound (a default, 50 ms)"),
        ({}, {}, "not surely the same latency bound (a default, a default)"),
    ],
)
def test_figures_of_unlike_load_are_refused(
    a_card: MakeCard, then: dict[str, Any], now: dict[str, Any], said: str
) -> None:
    server = {} if "scenario" in now else {"scenario": Scenario.SERVER}
    pairs = pair(with_plan(a_card(SPEEDS), **server, **then), with_plan(a_card(SPEEDS, name="now"), **server, **now))
    assert not pairs.cases
    assert pairs.refused == (said,)


def test_servers_of_one_run_or_under_one_bound_are_pairs(a_card: MakeCard) -> None:
    default = with_plan(a_card(SPEEDS), scenario=Scenario.SERVER)
    assert len(pair(default, default).cases) == 1
    bound = {"scenario": Scenario.SERVER, "latency_bound_s": 0.05}
    assert len(pair(with_plan(a_card(SPEEDS), **bound), with_plan(a_card(SPEEDS, name="now"), **bound)).cases) == 1
