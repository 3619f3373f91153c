"""The HTML report, from records to its text; what a browser makes of it is tried end to end."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from tests.unit.made import a_contender, the_results

import bakeoff.report.page
from bakeoff.errors import UsageError
from bakeoff.records import (
    Accuracy,
    BreakEven,
    Heat,
    Latencies,
    Lead,
    Outcome,
    Peak,
    PeakShare,
    Recipe,
    RunRecord,
    Standing,
    Summary,
    Verdict,
)
from bakeoff.report import pdf
from bakeoff.report.document import to_document
from bakeoff.report.insights import RunReport
from bakeoff.report.page import cells, charts, to_html

pytestmark = [pytest.mark.unit, pytest.mark.xdist_group("page")]  # its module's report is drawn once

EVIL = "<script>alert('&\"')</script>"


def a_report(run: RunRecord, rows: Sequence[Summary]) -> RunReport:
    measured = [row for row in rows if row.fps is not None]
    verdicts = [
        Verdict(
            model=model,
            batch_size=size,
            league="fp32",
            device="cpu",
            leader="openvino",
            standings=(
                Standing(contender="openvino", outcome=Outcome.LEADER, ratio=0.9, interval=None, rounds=6),
                Standing(contender="keras", outcome=Outcome.SLOWER, ratio=4.5, interval=(4.0, 5.0), rounds=6),
            ),
            sentence="openvino is fastest.",
        )
        for model in run.plan.models
        for size in run.plan.batch_sizes
    ]
    heats = [
        Heat(
            minute=float(minute),
            round=minute + 1,
            model="resnet18",
            batch_size=1,
            canary=1.0 + minute / 100,
            taken=0.3 if minute == 2 else 0.0,
            disturbed=minute == 2,
        )
        for minute in range(4)
    ]
    return RunReport(
        results=the_results(run, rows, verdicts, remarks=(f"canary: {EVIL}",)),
        latencies=tuple(
            Latencies(case=row.case, p5=1.0, p25=2.0, p50=3.0, p75=4.0, p95=9.0, count=200, profiled=True)
            for row in measured
        ),
        heats=tuple(heats),
        break_even=(
            BreakEven(
                model="resnet18",
                batch_size=1,
                league="fp32",
                leads=(Lead(contender="keras", first=1, last=41), Lead(contender="openvino", first=42, last=None)),
                start_s={"keras": 0.5, "openvino": 2.0},
            ),
        ),
        peak=Peak(gemm=2e11, convolution=1e11, threads=2, machine="0123456789ab", measured_at=0.0),
        why_no_peak="",
        peak_shares=tuple(PeakShare(case=row.case, flops=1e11, share=0.5) for row in measured),
        recipes=(
            Recipe(
                case=measured[0].case,
                settings={"threads": 2, "name": EVIL},
                installation=("python3.11 -m venv winner",),
                requirements=("openvino==1",),
                script=f"print({EVIL!r})\n",
            ),
        ),
    )


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    """Drawn once: the drawing library takes a second to start."""
    return {}


@pytest.fixture
def page(pages: dict[str, str], run: RunRecord, rows: Sequence[Summary]) -> str:
    """Of two runs, the first with names of evil intent."""
    if "page" not in pages:
        evil = msgspec.structs.replace(run, name=EVIL, machine={**run.machine, "cpu": EVIL})
        evil_rows = [
            msgspec.structs.replace(row, case=msgspec.structs.replace(row.case, contender=a_contender(EVIL)))
            if row.case.contender.name == "onnxruntime"
            else row
            for row in rows
        ]
        pages["page"] = to_html([a_report(evil, evil_rows), a_report(run, rows)])
    return pages["page"]


def test_the_parts_stand_in_their_order_with_the_verdict_first(page: str) -> None:
    titles = re.findall(r"<h2>(.+?)</h2>", page)
    assert (
        titles
        == [
            "Verdict",
            "Throughput",
            "Scaling with batch size",
            "Latency",
            "Speed against memory and time to load",
            "Time line",
            "Parity",
            "Break-even",
            "Percent of this machine's peak",
            "Machine and method",
            "Reproduce it, use the winner",
        ]
        * 2
    )
    assert page.count("<svg") == 9 * 2
    assert len(page.encode()) < 2_000_000


def test_names_of_others_are_text_wherever_they_stand(page: str) -> None:
    assert "alert(" in page
    assert EVIL not in page
    assert page.count("<script>") == 1


def test_it_may_load_and_run_nothing_but_its_own_script(page: str) -> None:
    policy = re.search(r'Content-Security-Policy" content="(.+?)">', page)
    assert policy
    assert policy[1].startswith("default-src 'none';")
    assert re.search(r"script-src 'sha256-[\w+/=]+'$", policy[1])
    assert not re.search(r'(?:src|href)="(?!#|data:,")', page)
    assert not re.search(r"url\((?!#)", page)


def test_identifiers_are_unique_over_all_runs_and_charts(page: str) -> None:
    identifiers = re.findall(r'\bid="([^"]+)"', page)
    assert len(identifiers) == len(set(identifiers))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(identifiers)


def test_without_its_packages_it_says_which_to_install(
    run: RunRecord, rows: Sequence[Summary], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("sections", "drawing"):
        monkeypatch.delitem(sys.modules, f"bakeoff.report.page.{name}", raising=False)
        monkeypatch.delattr(bakeoff.report.page, name, raising=False)
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    with pytest.raises(UsageError, match="needs vl_convert, which is not installed") as caught:
        to_html([a_report(run, rows)])
    assert caught.value.advice
    assert "bakeoff[report]" in caught.value.advice


def test_without_a_browser_a_pdf_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "find_browser", lambda: None)
    with pytest.raises(UsageError, match="printed by Chromium"):
        pdf.to_pdf("")


@pytest.mark.skipif(sys.platform == "win32", reason="the broken browser is a shell script")
def test_a_browser_that_prints_nothing_is_an_error_in_its_own_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "chromium"
    broken.write_text("#!/bin/sh\necho no display >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(pdf, "find_browser", lambda: str(broken))
    with pytest.raises(UsageError, match="did not print the report: no display"):
        pdf.to_pdf("")


def test_accuracy_has_a_column_that_sorts_by_its_share_where_anybody_was_asked(
    run: RunRecord, rows: Sequence[Summary]
) -> None:
    assert ("accuracy", True) not in cells.speeds(a_report(run, rows)).columns
    first, *others = rows
    asked = msgspec.structs.replace(first, accuracy=Accuracy(right=18, pictures=20))
    table = cells.speeds(a_report(run, [asked, *others]))
    assert table.columns[-1] == ("accuracy", True)
    assert {(row[-1].text, row[-1].sort) for row in table.rows} == {("18/20", 0.9), ("-", None)}
    assert all(len(row) == len(table.columns) for row in table.rows)


def test_markdown_holds_what_only_a_report_tells(run: RunRecord, rows: Sequence[Summary]) -> None:
    text = to_document([a_report(run, rows)])
    assert "below 42 inferences keras (first answer after 500 ms); from 42 on openvino" in text
    assert "The peak is 200 GFLOP/s" in text
    assert "| openvino | resnet18 | 1 | 100 GFLOP/s | 50% |" in text
    assert "1 was disturbed: others took up to 30% of the CPU time" in text
    assert "\n    openvino==1\n" in text


def test_names_beside_points_are_pushed_up_until_they_are_apart() -> None:
    placed = charts.apart([("high", 1.0, 10.0), ("low", 1.0, 3.0), ("lower", 5.0, 2.5)], gap=2.0)
    assert placed == [("lower", 5.0, 2.5), ("low", 1.0, 4.5), ("high", 1.0, 10.0)]


def test_who_is_ranked_elsewhere_says_so_and_is_beaten_by_its_own_league_only(rows: Sequence[Summary]) -> None:
    fast, slow = [row for row in rows if row.fps and row.case.model == "resnet50" and row.case.batch_size == 1][:2]
    coarse = msgspec.structs.replace(fast, league="bf16", fps=99.0, peak_rss_mb=1.0, load_s=None)
    spec = charts.costs([slow, coarse])
    assert spec
    memory, _load = spec["hconcat"]
    standings = {value["engine"]: value["standing"] for value in memory["layer"][0]["data"]["values"]}
    assert standings == dict.fromkeys(
        [slow.case.contender.name, f"{fast.case.contender.name} (bf16)"], "beaten by none in both"
    )


def test_intervals_standings_and_order_of_the_throughput_chart(run: RunRecord, rows: Sequence[Summary]) -> None:
    report = a_report(run, rows)
    measured = [row for row in rows if row.case.model == "resnet50" and row.fps]
    spec = charts.throughput(measured, [v for v in report.results.verdicts if v.model == "resnet50"])
    values = {(value["engine"], value["batch"]): value for value in spec["data"]["values"]}
    assert set(values) == {(row.case.contender.name, row.case.batch_size) for row in measured}
    row = measured[0]
    value = values[row.case.contender.name, row.case.batch_size]
    assert (value["low"], value["fps"], value["high"]) == (row.fps_ci95[0], row.fps, row.fps_ci95[1])  # type: ignore[index]
    assert values["openvino", 1]["standing"] == "leads"
    assert values["keras", 1]["standing"] == "slower"
    assert spec["spec"]["encoding"]["y"]["sort"][:2] == ["openvino", "onnxruntime"]
