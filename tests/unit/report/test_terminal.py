from collections.abc import Sequence

import pytest
from tests.unit.made import the_results

from bakeoff.records import RunRecord, Summary
from bakeoff.report.terminal import to_text

pytestmark = pytest.mark.unit

Rows = Sequence[Summary]


@pytest.mark.parametrize("width", [100, 120, 200])
def test_the_table_fits_its_width(run: RunRecord, rows: Rows, width: int) -> None:
    text = to_text(the_results(run, rows), width=width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text


def test_all_models_stand_side_by_side_where_there_is_room(run: RunRecord, rows: Rows) -> None:
    text = to_text(the_results(run, rows), width=120)
    assert sum(line.startswith("openvino") for line in text.splitlines()) == 1
    assert any("resnet18" in line and "resnet50" in line for line in text.splitlines()[3:9])


def test_each_model_has_its_own_table_on_a_narrow_terminal(run: RunRecord, rows: Rows) -> None:
    text = to_text(the_results(run, rows), width=80)
    assert sum(line.startswith("openvino") for line in text.splitlines()) == 2
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text


def test_engines_go_down_in_the_plan_s_order_with_speed_spread_and_error(run: RunRecord, rows: Rows) -> None:
    lines = to_text(the_results(run, rows), width=120).partition("images/s")[0].splitlines()
    table = [line.split() for line in lines if line.split()[:1] and line.split()[0] in run.plan.names]
    assert [words[0] for words in table] == list(run.plan.names)
    assert table[0][1:3] == ["114", "±2%"]
    assert table[0][-1] == "3.1e-07"
    assert table[3][1:3] == ["9.87", "±0.4%"]


def test_rows_that_are_not_ok_say_what_and_why(run: RunRecord, rows: Rows) -> None:
    text = " ".join(to_text(the_results(run, rows), width=120).split())
    assert "ncnn wrong wrong" in text
    assert "ncnn: wrong: error 3.1e-02 is beyond 1e-04" in text
    assert "pytorch-2019: unavailable: no Python 3.6 | `pyenv install 3.6`" in text
    assert "mxnet (resnet18 batch 8; resnet50 batch 8): timed out: no answer in 300 s" in text
    assert "mxnet (resnet18 batch 1, 2, 4; resnet50 batch 1, 2, 4): not run: budget" in text


def test_colour_codes_come_only_when_asked_for(run: RunRecord, rows: Rows) -> None:
    assert "\x1b" not in to_text(the_results(run, rows), width=120)
    assert "\x1b" in to_text(the_results(run, rows), width=120, color=True)


def test_the_best_of_each_column_stands_out(run: RunRecord, rows: Rows) -> None:
    text = to_text(the_results(run, rows), width=120, color=True)
    emphasised = [line for line in text.splitlines() if "\x1b[1;32m" in line]
    assert [line.split()[0] for line in emphasised] == ["openvino"]
    assert emphasised[0].count("\x1b[1;32m") == 8


def test_a_figure_in_another_league_says_so_and_takes_nobody_s_place(run: RunRecord, rows: Rows) -> None:
    import msgspec  # noqa: PLC0415

    moved = [
        msgspec.structs.replace(row, league="bf16", fps=1000.0) if row.case.contender.name == "keras" else row
        for row in rows
    ]
    text = to_text(the_results(run, moved), width=160, color=True)
    bold = {line.split()[0]: line.count("\x1b[1;32m") for line in text.splitlines() if "\x1b[1;32m" in line}
    assert bold == {"openvino": 8, "keras": 8}
    assert "1000 ±0.4% bf16" in to_text(the_results(run, moved), width=160)


def test_what_the_errors_mean_stands_beneath_the_table(run: RunRecord, rows: Rows) -> None:
    import msgspec  # noqa: PLC0415

    from bakeoff.records import Tolerances  # noqa: PLC0415

    known = Tolerances(fp32=7.7e-5, fp16=1.6e-2, bf16=0.24, rounding={"fp32": 1.4e-6, "fp16": 4.2e-3, "bf16": 5.9e-2})
    models = (msgspec.structs.replace(run.models[0], tolerances=known), run.models[1])
    text = " ".join(to_text(the_results(msgspec.structs.replace(run, models=models), rows), width=160).split())
    sizes = "fp32-sized up to 7.7e-05, fp16-sized up to 1.6e-02, bf16-sized up to 2.4e-01, wrong beyond that"
    assert f"errors on resnet18: {sizes}" in text
    assert "errors on resnet50: wrong beyond 1.0e-04, a fixed number" in text


def test_markup_in_a_reason_is_shown_as_it_is(run: RunRecord, rows: Rows) -> None:
    import msgspec  # noqa: PLC0415

    odd = [msgspec.structs.replace(row, reason="[bold] :smile: [/nope]") if row.reason else row for row in rows]
    assert "[bold] :smile: [/nope]" in to_text(the_results(run, odd), width=120)


def test_a_run_without_rows_still_has_a_head(run: RunRecord) -> None:
    assert "2026-11-23-1" in to_text(the_results(run, []), width=100)
