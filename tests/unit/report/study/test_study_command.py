"""`bakeoff study`, from a prepared store and from a race that is played by a stand-in."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from bakeoff.cli.study import study
from bakeoff.errors import ExitCode, StoreError, UsageError
from bakeoff.judge.results import Results
from bakeoff.machine import cpu
from bakeoff.race import race
from bakeoff.records import Plan, RunRecord, Status, Trial
from bakeoff.report.study.rows import engines_of_the_study
from bakeoff.store import Store

pytestmark = pytest.mark.unit

ON_OTHERS = {"caffe2-mkl-avx2", "caffe2-mkl-avx2-2019"}
"""engines that are raced on processors by others than Intel"""

ARun = tuple[RunRecord, list[Trial]]


@pytest.fixture
def output(tmp_path: Path, whole_race: ARun) -> Path:
    """A results folder whose store holds the whole race."""
    run, trials = whole_race
    with Store.open(tmp_path / "results") as store:
        store.create_run(run)
        store.add_trials(run.name, trials)
        store.update_run(run.name, state=run.state, elapsed_s=run.elapsed_s)
    return tmp_path / "results"


def invoke(output: Path, *arguments: str) -> Result:
    return CliRunner().invoke(study, [*arguments, "--output", str(output)], catch_exceptions=False)


# From a stored run


def test_a_stored_run_is_written_again_in_both_languages_and_printed_in_one(output: Path) -> None:
    result = invoke(output, "--from", "latest")
    assert result.exit_code == ExitCode.OK
    english = (output / "2026-11-23-1" / "study.md").read_text(encoding="utf-8")
    assert (output / "2026-11-23-1" / "study.zh.md").read_text(encoding="utf-8").startswith("# 重做 2019 年的研究")
    assert result.stdout == english
    assert str(output / "2026-11-23-1" / "study.md") in result.stderr


def test_lang_picks_what_is_printed(output: Path) -> None:
    result = invoke(output, "--from", "2026-11-23-1", "--lang", "zh")
    assert result.stdout == (output / "2026-11-23-1" / "study.zh.md").read_text(encoding="utf-8")


def test_the_same_run_gives_the_same_documents(output: Path) -> None:
    assert invoke(output, "--from", "latest").stdout == invoke(output, "--from", "latest").stdout


@pytest.mark.parametrize(
    ("place", "names"),
    [("docs/2019.md", ["2019.md", "2019.zh.md"]), ("docs", ["study.md", "study.zh.md"])],
)
def test_the_documents_go_where_they_are_wanted(output: Path, tmp_path: Path, place: str, names: list[str]) -> None:
    invoke(output, "--from", "latest", "--document", str(tmp_path / place))
    assert sorted(path.name for path in (tmp_path / "docs").iterdir()) == names
    assert not (output / "2026-11-23-1").exists()


def test_a_place_that_cannot_be_written_is_a_clear_error(output: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(StoreError, match="could not be written"):
        invoke(output, "--from", "latest", "--document", str(tmp_path / "file" / "study.md"))


def test_unknown_runs_and_missing_stores_are_errors(output: Path) -> None:
    with pytest.raises(StoreError, match="no run 'nosuch'"):
        invoke(output, "--from", "nosuch")
    with pytest.raises(StoreError, match="no results at"):
        invoke(output / "elsewhere", "--from", "latest")


def test_options_of_a_race_are_refused_where_nothing_is_raced(output: Path) -> None:
    with pytest.raises(UsageError, match="--budget, --rounds: --from races nothing"):
        invoke(output, "--from", "latest", "--budget", "5m", "--rounds", "2")


# From a race

Play = Callable[..., list[Plan]]


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch, whole_race: ARun) -> Play:
    """Let `race.start` end at once with the whole race's trials, in a given state; returns the plans it was given."""

    def stand_in(
        state: str = "finished", keep: Callable[[Trial], bool] = lambda _: True, unsaved: int = 0
    ) -> list[Plan]:
        plans: list[Plan] = []

        def start(plan: Plan, catalogue: Any, store: Any, output: Path, observer: Any) -> race.Outcome:
            del catalogue, store, observer
            plans.append(plan)
            run = msgspec.structs.replace(whole_race[0], state=state)
            trials = [trial for trial in whole_race[1] if keep(trial)]
            return race.Outcome(Results(run, trials), output / run.name, unsaved)

        monkeypatch.setattr(race, "start", start)
        return plans

    return stand_in


@pytest.mark.parametrize(("vendor", "left_out"), [("GenuineIntel", ON_OTHERS), ("AuthenticAMD", set())])
def test_both_releases_are_raced_with_every_mode_in_45_minutes(
    tmp_path: Path, play: Play, monkeypatch: pytest.MonkeyPatch, vendor: str, left_out: set[str]
) -> None:
    monkeypatch.setattr(cpu, "vendor", lambda: vendor)
    monkeypatch.setattr(cpu, "instruction_sets", lambda: ["avx2"])
    plans = play()
    invoke(tmp_path)
    (plan,) = plans
    assert engines_of_the_study() - set(plan.names) == left_out
    assert (plan.models, plan.batch_sizes, plan.budget_s) == (("resnet18", "resnet50"), (1, 2, 4, 8), 45 * 60)
    assert (tmp_path / "2026-11-23-1" / "study.zh.md").is_file()


def test_flags_reach_the_plan(tmp_path: Path, play: Play) -> None:
    plans = play()
    invoke(tmp_path, "--budget", "90m", "--rounds", "7", "--batch", "1,4", "--threads", "1")
    (plan,) = plans
    assert (plan.budget_s, plan.rounds, plan.batch_sizes, plan.threads) == (90 * 60, 7, (1, 4), 1)


def test_a_bad_row_is_exit_code_one_and_none_is_zero(tmp_path: Path, play: Play) -> None:
    play()
    assert invoke(tmp_path).exit_code == ExitCode.SOME_ROWS_BAD
    play(keep=lambda trial: trial.status is not Status.TIMED_OUT)
    assert invoke(tmp_path).exit_code == ExitCode.OK


def test_trials_that_no_store_could_take_are_no_success(tmp_path: Path, play: Play) -> None:
    play(keep=lambda trial: trial.status is not Status.TIMED_OUT, unsaved=3)
    result = invoke(tmp_path)
    assert result.exit_code == ExitCode.SOME_ROWS_BAD
    assert "3 trials could not be stored" in result.stderr


def test_an_interrupted_race_still_writes_from_what_there_is(tmp_path: Path, play: Play) -> None:
    play(state="interrupted", keep=lambda trial: trial.round == 1 and trial.case.model == "resnet50")
    result = invoke(tmp_path)
    assert result.exit_code == ExitCode.INTERRUPTED
    text = (tmp_path / "2026-11-23-1" / "study.md").read_text(encoding="utf-8")
    assert "the run is interrupted" in text
    assert "not run: interrupted before it" in text
    assert "`bakeoff resume 2026-11-23-1` goes on" in result.stderr


def test_an_interruption_before_any_trial_still_gives_a_document(tmp_path: Path, play: Play) -> None:
    play(state="interrupted", keep=lambda _: False)
    assert invoke(tmp_path).exit_code == ExitCode.INTERRUPTED
    text = (tmp_path / "2026-11-23-1" / "study.md").read_text(encoding="utf-8")
    assert "nothing is compared here" in text
