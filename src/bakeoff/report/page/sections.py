"""One run as the page's template takes it: sentences, tables and drawn charts."""

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec
import vl_convert
from markupsafe import Markup

from bakeoff.records import Status, Summary
from bakeoff.report import insights, notes, standings, wording
from bakeoff.report.command import command_line
from bakeoff.report.insights import RunReport
from bakeoff.report.machine_line import machine_line
from bakeoff.report.page import cells, charts

_IDENTIFIERS = re.compile(r'(?<=\bid=")(?=\w)|(?<=url\(#)(?=\w)')


class Figure(msgspec.Struct, frozen=True):
    """A chart and what it shows."""

    title: str
    caption: str
    svg: Markup


def of_run(report: RunReport, anchor: str) -> dict[str, Any]:
    """The run's part of the page, by the names that the template has for it; `anchor` begins all its identifiers."""
    run, rows = report.results.run, report.results.rows
    return {
        "anchor": anchor,
        "run": run,
        "rows": rows,
        "title": f"{', '.join(run.plan.models)} on {run.machine.get('cpu') or 'this machine'}",
        "facts": [
            ("run", run.name),
            ("began", wording.date(run)),
            ("measured", wording.progress(run, rows)),
            ("settings", wording.setting(run.plan)),
            ("machine", machine_line(run.machine)),
        ],
        "answers": notes.answers(report.results),
        "standings": cells.standings(report),
        "waits": standings.waits(report.results),
        "speeds": cells.speeds(report),
        "accuracy": notes.accuracy(run),
        "throughput": [*_throughput(report, anchor)],
        "scaling": [*_scaling(report, anchor)],
        "latencies": [*_latencies(report, anchor)],
        "costs": [*_costs(report, anchor)],
        "time_line": [*_time_line(report, anchor)],
        "time_line_in_words": insights.time_line(report.heats),
        "parity": cells.parity(report),
        "tolerances": notes.tolerances(run),
        "break_even": insights.break_evens(report),
        "starts": cells.starts(report),
        "peak": cells.peak(report),
        "peak_in_words": f"The peak is {insights.peak(report.peak)}."
        if report.peak
        else f"Not known: {report.why_no_peak}.",
        "failures": notes.failures(rows),
        "cautions": notes.caution_groups(report.results),
        "findings": notes.findings(run),
        "machine": cells.facts(run.machine),
        "command": command_line(run.plan),
        "indifference": wording.percent(report.results.indifference),
        "recipes": [
            (
                f"{r.case.contender.name} on {r.case.model}, batch {r.case.batch_size}",
                ", ".join(insights.settings(r)),
                r,
            )
            for r in report.recipes
        ],
    }


def draw(spec: charts.Spec, name: str) -> Markup:
    """The chart as an `<svg>` element, drawn by Vega-Lite inside vl-convert: no browser, no network.

    `name` tells its identifiers from those of other charts of the page.
    """
    svg = vl_convert.vegalite_to_svg(json.dumps(spec | {"config": charts.CONFIG}))
    return Markup(_IDENTIFIERS.sub(f"{name}-", svg))  # noqa: S704 - Vega escapes all text in it


def _models(report: RunReport) -> Iterator[tuple[int, str, list[Summary]]]:
    """Each model that has a row with a speed, with those rows."""
    for index, model in enumerate(dict.fromkeys(row.case.model for row in report.results.rows)):
        measured = [row for row in report.results.rows if row.case.model == model and row.fps is not None]
        if measured:
            yield index, model, measured


def _throughput(report: RunReport, anchor: str) -> Iterator[Figure]:
    for index, model, rows in _models(report):
        verdicts = [verdict for verdict in report.results.verdicts if verdict.model == model]
        cut = any(row.fps_ci95 and row.fps_ci95[1] > charts.edge(rows) for row in rows)
        yield Figure(
            model,
            "Points are geometric means over rounds, lines their 95% intervals. Further right is faster."
            + " The widest intervals are cut off at the right edge: too few rounds tell little." * cut,
            draw(charts.throughput(rows, verdicts), f"{anchor}-throughput{index}"),
        )


def _scaling(report: RunReport, anchor: str) -> Iterator[Figure]:
    for index, model, rows in _models(report):
        if len({row.case.batch_size for row in rows}) > 1:
            others = len({row.case.contender.name for row in rows}) - charts.NAMED
            rest = f" The other {others} engines are the thin grey lines." if others > 0 else ""
            yield Figure(
                model,
                f"A flat line gains nothing from larger batches.{rest}",
                draw(charts.scaling(rows), f"{anchor}-scaling{index}"),
            )


def _latencies(report: RunReport, anchor: str) -> Iterator[Figure]:
    for index, model, _rows in _models(report):
        found = [each for each in report.latencies if each.case.model == model]
        if found:
            profiled = sum(each.profiled for each in found)
            source = "From one long profile trial of each case."
            if profiled < len(found):
                source = "From the race's short bursts" + (
                    f", but for {profiled} of {len(found)} cases that had a profile trial." if profiled else "."
                )
            yield Figure(
                model,
                f"The tick is the median, the bar the middle half, the line runs from the 5th to the 95th percentile. "
                f"{source}",
                draw(charts.latencies(found), f"{anchor}-latency{index}"),
            )


def _costs(report: RunReport, anchor: str) -> Iterator[Figure]:
    for index, model, rows in _models(report):
        by_batch: dict[int, list[Summary]] = {}
        for row in rows:
            by_batch.setdefault(row.case.batch_size, []).append(row)
        # What only a fresh process shows is known of some batch sizes only: of which it is known of the most.
        batch = max(by_batch, key=lambda size: (sum(row.peak_rss_mb is not None for row in by_batch[size]), -size))
        spec = charts.costs([row for row in by_batch[batch] if row.status is Status.OK])
        if spec:
            yield Figure(
                f"{model}, batch {batch}",
                "Up is faster, left is cheaper. Diamonds are engines that no other of their league beats in both.",
                draw(spec, f"{anchor}-cost{index}"),
            )


def _time_line(report: RunReport, anchor: str) -> Iterator[Figure]:
    spec = charts.time_line(report.heats)
    if spec:
        yield Figure(
            "From the first heat to the last",
            "Above, how fast the canary ran: fixed work of bakeoff's own that takes its turn in every heat, so that "
            "its changes are the machine's. Below, the CPU time that went to others in each heat's worst trial.",
            draw(spec, f"{anchor}-time-line"),
        )
