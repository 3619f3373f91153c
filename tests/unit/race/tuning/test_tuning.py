"""From a request to a confirmed answer, with races that are made up: who races when and how long, and what is told."""

import dataclasses
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import msgspec
import numpy as np
import pytest
from tests.unit.made import a_measurement

from bakeoff.engines.catalogue import Catalogue
from bakeoff.errors import UsageError
from bakeoff.judge.results import Results
from bakeoff.judge.tuning.found import Tuned
from bakeoff.race.asking.machine import Machine
from bakeoff.race.race import Outcome
from bakeoff.race.tuning import tuning
from bakeoff.race.tuning.tuning import WHOLE, Tuning
from bakeoff.records import (
    Contender,
    EngineInfo,
    Limits,
    ModelRecord,
    Plan,
    Request,
    RunRecord,
    Status,
    Trial,
    word,
)
from bakeoff.store import Store
from bakeoff.views.racing import Silence

pytestmark = pytest.mark.unit

MACHINE = Machine(cpus=2, installed=lambda _: True)
WORTH = {("spin", "false"): 0.2, ("dynamic_block", "4"): 0.1, ("memory_arena", "false"): -0.3, ("threads", "1"): -0.5}
MODEL = ModelRecord(name="resnet18", digest="1" * 64, weights="seeded", inputs=(), outputs=())
SMALL = {"onnxruntime.spin": (True, False), "onnxruntime.dynamic_block": (0, 4)}
KNOBS = ("spin", "dynamic_block", "memory_arena", "memory_pattern", "flush_denormals", "graph_optimization")
LARGE = {f"onnxruntime.{knob}": Catalogue.load().engines["onnxruntime"].knobs[knob].values for knob in KNOBS}


def true(contender: Contender) -> float:
    return sum(WORTH.get((knob, word(value)), 0.0) for knob, value in contender.settings)


class Races:
    """Stands for `race.start`: every contender runs as many rounds as it may, 8 at most, at its true speed."""

    def __init__(self, *, state: Sequence[str] = (), failing: Callable[[Contender], bool] = lambda _: False) -> None:
        self.plans: list[Plan] = []
        self.states = list(state)
        self.failing = failing

    def __call__(self, plan: Plan, _catalogue: Any, _store: Any, output: Path, _observer: Any, **_: Any) -> Outcome:
        self.plans.append(plan)
        rng = np.random.default_rng(len(self.plans))
        name = f"run-{len(self.plans)}"
        run = RunRecord(
            name=name,
            started_at=0.0,
            plan=plan,
            machine={},
            bakeoff_version="0",
            models=(MODEL,),
            engines=(EngineInfo(name="onnxruntime", title="", framework="", release="today", league="fp32"),),
            state=self.states.pop(0) if self.states else "finished",
            elapsed_s=0.9 * plan.budget_s if plan.rounds is None else 20.0,
        )
        trials = []
        for number in range(1, 1 + min(plan.rounds or 8, 8)):
            drift = rng.normal(0, 0.05)
            for case in plan.cases():
                latency = math.exp(-true(case.contender) + drift + rng.normal(0, 0.01)) / 50
                settings = dict(case.contender.settings)
                failed = self.failing(case.contender)
                trials.append(
                    Trial(
                        round=number,
                        case=case,
                        status=Status.FAILED if failed else Status.OK,
                        reason="SIGSEGV" if failed else "",
                        requested=settings,
                        effective=settings,
                        measurement=None if failed else a_measurement([[latency] * 3], peak_rss_mb=100.0),
                    )
                )
        return Outcome(Results(run, trials), output / name, 0)


@pytest.fixture
def races(monkeypatch: pytest.MonkeyPatch) -> Races:
    found = Races()
    monkeypatch.setattr(tuning, "start", found)
    return found


def tune(
    tmp_path: Path, *, objective: str = "latency", limits: Limits | None = None, budget_s: float = 1000.0, **asked: Any
) -> Tuning:
    usual: dict[str, Any] = {"models": ("resnet18",), "engines": ("onnxruntime",), "settings": SMALL}
    request = Request(**usual | {"budget_s": budget_s} | asked)
    with Store.open(tmp_path) as store:
        return tuning.tune(
            request, objective, limits or Limits(), Catalogue.load(), MACHINE, store, tmp_path, Silence()
        )


def confirmed(found: Tuning) -> Tuned:
    assert found.said
    return found.said


def test_a_small_space_races_whole_and_the_best_few_again_beside_the_default(races: Races, tmp_path: Path) -> None:
    said = confirmed(tune(tmp_path, tags=("mine",)))
    search, confirmation = races.plans
    assert len(search.names) == 8  # spin, dynamic_block, threads
    assert search.request
    assert confirmation.request
    assert (search.request.tags, confirmation.request.tags) == (("tune-search",), ("tune", "mine"))
    assert (search.bursts, search.profile, search.batch_sizes) == (1, False, (1,))
    assert confirmation.names[:2] == ("onnxruntime", "onnxruntime[dynamic_block=4,spin=false]")
    assert len(confirmation.names) == 5
    assert search.budget_s == pytest.approx(600)
    assert confirmation.budget_s == pytest.approx(1000 - 0.9 * 600)
    assert confirmation.target_ci_rest == 0.05
    assert said.answer == "onnxruntime[dynamic_block=4,spin=false]"
    assert "1.35x" in said.sentence or "1.34x" in said.sentence or "1.36x" in said.sentence
    assert (said.run, said.searched, said.points, said.raced) == ("run-2", ("run-1",), 8, 8)


def test_the_figures_are_the_confirmation_s(races: Races, tmp_path: Path) -> None:
    found = tune(tmp_path)
    rows = {row.case.contender.name: row.fps for row in found.outcome.results.rows}
    assert found.outcome.results.run.name == "run-2"
    assert {each.point.name: each.fps for each in confirmed(found).confirmed} == rows
    assert len(races.plans) == 2


def test_what_it_says_lies_beside_the_run(races: Races, tmp_path: Path) -> None:
    said = confirmed(tune(tmp_path))
    assert len(races.plans) == 2
    folder = tmp_path / "run-2"
    assert msgspec.json.decode((folder / "tune.json").read_bytes(), type=Tuned) == said
    assert (
        (folder / "tune.md")
        .read_text(encoding="utf-8")
        .startswith("resnet18, batch 1, for latency: **onnxruntime with")
    )


def test_effects_are_the_search_s(races: Races, tmp_path: Path) -> None:
    worth = {(each.knob, each.value): math.log(each.ratio) for each in confirmed(tune(tmp_path)).effects}
    assert len(races.plans) == 2
    assert worth == {
        ("spin", False): pytest.approx(0.2, abs=0.02),
        ("dynamic_block", 4): pytest.approx(0.1, abs=0.02),
        ("threads", 1): pytest.approx(-0.5, abs=0.02),
    }


def test_what_fails_is_left_out_and_not_confirmed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    races = Races(failing=lambda contender: ("spin", False) in contender.settings)
    monkeypatch.setattr(tuning, "start", races)
    said = confirmed(tune(tmp_path))
    assert {(each.name, each.reason) for each in said.left_out} == {
        (name, "failed: SIGSEGV") for name in races.plans[0].names if "spin=false" in name
    }
    assert not [name for name in races.plans[1].names if "spin" in name]
    assert said.answer == "onnxruntime[dynamic_block=4]"


@pytest.mark.parametrize(
    ("states", "plans", "told"), [(("interrupted",), 1, False), (("finished", "interrupted"), 2, True)]
)
def test_an_interruption_leaves_what_was_confirmed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, states: Sequence[str], plans: int, told: bool
) -> None:
    races = Races(state=states)
    monkeypatch.setattr(tuning, "start", races)
    found = tune(tmp_path)
    assert len(races.plans) == plans
    assert (found.said is not None) is told
    assert found.outcome.results.run.state == "interrupted"


def test_an_interrupted_search_has_a_best_so_far_and_no_figure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tuning, "start", Races(state=["interrupted"]))
    found = tune(tmp_path)
    assert found.said is None
    assert found.best[0] == "onnxruntime[dynamic_block=4,spin=false]"
    assert "onnxruntime" not in found.best


def test_every_run_of_a_search_remembers_what_was_asked_and_what_came_before(races: Races, tmp_path: Path) -> None:
    tune(tmp_path, limits=Limits(memory_mb=200.0))
    search, confirmation = (plan.request.search for plan in races.plans if plan.request)
    assert search
    assert confirmation
    assert (search.objective, search.limits, search.before) == ("latency", Limits(memory_mb=200.0), ())
    assert confirmation.before == ("run-1",)
    assert search.request == confirmation.request
    assert search.request.settings == SMALL
    assert msgspec.json.decode(msgspec.json.encode(races.plans[1]), type=Plan) == races.plans[1]


class Kept:
    """A store of the runs that `Races` raced, and `race.resume`, which races what is left of one."""

    def __init__(self, races: Races, outcomes: Sequence[Outcome]) -> None:
        self.races, self.runs = races, {each.results.run.name: each.results for each in outcomes}
        self.resumed: list[str] = []

    def run(self, name: str) -> RunRecord:
        return self.runs[name].run

    def trials(self, name: str) -> Sequence[Trial]:
        return self.runs[name].trials

    def resume(self, name: str, *_: Any, **how: Any) -> Outcome:
        self.resumed.append(name)
        run = msgspec.structs.replace(self.runs[name].run, state="finished")
        return Outcome(Results(run, self.runs[name].trials), how.get("output", Path()), 0, unwritten="not here")


@pytest.mark.parametrize(
    ("states", "small", "resumed", "follow"),
    [
        (["interrupted"], True, "run-1", ["confirm"]),
        (["finished", "interrupted"], True, "run-2", []),
        (["interrupted"], False, "run-1", ["batch", "batch", "batch", "best", "confirm"]),
        (["finished", "finished", "interrupted"], False, "run-3", ["batch", "best", "confirm"]),
    ],
)
def test_resume_goes_on_with_the_step_that_was_interrupted(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    states: Sequence[str],
    small: bool,
    resumed: str,
    follow: Sequence[str],
) -> None:
    races, outcomes = Races(state=states), list[Outcome]()

    def start(*arguments: Any, **how: Any) -> Outcome:
        outcome = races(*arguments, **how)
        tags = outcome.results.run.plan.request.tags if outcome.results.run.plan.request else ()
        run = msgspec.structs.replace(outcome.results.run, tags=tags)
        outcomes.append(dataclasses.replace(outcome, results=Results(run, outcome.results.trials)))
        return outcomes[-1]

    monkeypatch.setattr(tuning, "start", start)
    tune(tmp_path, budget_s=200.0, settings=SMALL if small else LARGE)
    before = len(outcomes)
    kept = Kept(races, outcomes)
    run = kept.run(resumed)
    assert run.state == "interrupted"
    assert run.plan.request
    assert run.plan.request.search
    monkeypatch.setattr(tuning, "resume_race", kept.resume)
    found = tuning.resume(
        run, run.plan.request.search, Catalogue.load(), MACHINE, cast(Store, kept), tmp_path, Silence()
    )
    assert kept.resumed == [resumed]
    steps = [
        "confirm" if "tune" in each.results.run.tags else "batch" if each.results.run.plan.rounds else "best"
        for each in outcomes[before:]
    ]
    assert steps == follow
    assert confirmed(found).answer == "onnxruntime[dynamic_block=4,spin=false]" or not small
    assert resumed in confirmed(found).searched or resumed == confirmed(found).run
    raced = [name for each in outcomes if each.results.run.plan.rounds for name in each.results.run.plan.names[1:]]
    assert len(set(raced)) == len(raced), "nothing is proposed that raced before"


def test_a_search_whose_settings_are_gone_is_not_resumed(races: Races, tmp_path: Path) -> None:
    tune(tmp_path)
    assert races.plans[0].request
    search = races.plans[0].request.search
    assert search
    run = RunRecord(
        name="run-1",
        started_at=0.0,
        plan=msgspec.structs.replace(
            races.plans[0], contenders=(Contender(name="onnxruntime[no=1]", engine="onnxruntime"),)
        ),
        machine={},
        bakeoff_version="0",
    )
    with pytest.raises(UsageError, match=r"run run-1 cannot go on: onnxruntime\[no=1\] is no setting any more"):
        tuning.resume(run, search, Catalogue.load(), MACHINE, cast(Store, None), tmp_path, Silence())


def test_a_large_space_is_proposed_in_batches_beside_its_default_and_finalists_race_together(
    races: Races, tmp_path: Path
) -> None:
    said = confirmed(tune(tmp_path, budget_s=500.0, settings=LARGE))
    *batches, finals, confirmation = races.plans
    assert said.points == 2 * 5 * 2 * 2 * 2 * 4 * 2 > WHOLE
    assert 5 < len(batches) <= 200 // 20
    assert {plan.rounds for plan in batches} == {2}
    assert {plan.names[0] for plan in races.plans} == {"onnxruntime"}
    assert {len(plan.names) for plan in batches[:5]} == {13}
    proposed = [name for plan in batches for name in plan.names[1:]]
    assert len(set(proposed)) == len(proposed)
    assert {"onnxruntime[spin=false]", "onnxruntime[threads=1]"} <= set(batches[0].names)
    assert len(finals.names) == 13
    assert finals.rounds is None
    assert set(finals.names[1:]) <= set(proposed)
    assert set(confirmation.names) <= set(finals.names)
    assert said.answer
    assert "spin=false" in said.answer
    assert "dynamic_block=4" in said.answer
    assert "memory_arena" not in said.answer
    assert said.raced == len(proposed) + 1


def test_without_optuna_a_large_space_is_refused_with_its_sizes_and_what_to_narrow(
    races: Races, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(
        UsageError, match=r"points \(onnxruntime \d+\), and at most 60 are raced whole; narrow it"
    ) as told:
        tune(tmp_path, settings={})
    assert "bakeoff[tune]" in (told.value.advice or "")
    assert races.plans == []


def test_a_reference_without_a_speed_ends_a_proposed_search(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tuning, "start", Races(failing=lambda contender: contender.name == "onnxruntime"))
    with pytest.raises(UsageError, match="onnxruntime is what every point is held against, and has no speed: SIGSEGV"):
        tune(tmp_path, settings={})


def test_throughput_is_the_offline_scenario(races: Races, tmp_path: Path) -> None:
    tune(tmp_path, objective="throughput", settings=SMALL | {"*.threads": (2, 1, "default")})
    search, confirmation = races.plans
    assert search.scenario == confirmation.scenario == "offline"
    assert not [name for name in search.names if "default" in name]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"models": ("resnet18", "resnet50")}, "tune one model"),
        ({"batch_sizes": (1, 2)}, "tune at one batch size"),
        ({"objective": "beauty"}, "no objective is called 'beauty': latency, throughput"),
        ({"objective": "throughput", "limits": Limits(memory_mb=1.0)}, "under load neither is measured"),
        ({"budget_s": -1.0}, "budget: "),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_races(
    races: Races, tmp_path: Path, asked: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        tune(tmp_path, **asked)
    assert races.plans == []
