"""Draw docs/race.svg, one table of a stored run as it was raced: `python docs/make_picture.py RUN resnet18 1`."""

import argparse
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bakeoff.judge.results import Results
from bakeoff.judge.table.best import Table
from bakeoff.judge.table.verdict import log_throughputs
from bakeoff.records import INDIFFERENCE, RunRecord, Standing, Status, Trial
from bakeoff.report import page
from bakeoff.report.page.charts import FAINT, INK, SERIES, SHAPES, STANDINGS, Spec, by_standing
from bakeoff.report.page.sections import draw
from bakeoff.store import Store

TARGET = Path(__file__).with_name("race.svg")
FARTHEST = 2.0
"""times slower than the leader: who lies farther behind is left out, or nobody else could be told apart"""
COLOURS, MARKS = (*SERIES, "var(--ink)"), (*SHAPES, "triangle-right")
"""of engines; who is slower than these is left out as well"""
HEIGHT = 280


def specification(run: RunRecord, trials: Sequence[Trial], model: str, batch_size: int) -> Spec:
    """Left, every engine's trials round by round; right, the same as ratios to the leader, and what is made of them."""
    results = Results(run, trials)
    ok = {row.case for row in results.rows if row.status is Status.OK}
    (verdict,) = (each for each in results.verdicts if (each.model, each.batch_size) == (model, batch_size))
    near = [each for each in verdict.standings if each.ratio is not None and each.ratio < FARTHEST]
    standings = near[: len(COLOURS)]
    of_table = [trial for trial in trials if trial.case in ok and trial.case.model == model]
    speeds = log_throughputs([trial for trial in of_table if trial.case.batch_size == batch_size])
    names = [each.contender for each in standings]
    legend = {"columns": 2, "orient": "bottom", "columnPadding": 48}
    looks = [{"legend": legend, "scale": {"domain": names, "range": range_}} for range_ in (COLOURS, MARKS)]
    return {
        "hconcat": [_rounds(speeds, names, looks), _ratios(speeds, standings, verdict.leader)],
        "spacing": 40,
        "resolve": {"scale": {"color": "independent", "shape": "independent"}},
    }


def _rounds(speeds: Table, names: Sequence[str], looks: Sequence[Spec]) -> Spec:
    values: list[dict[str, Any]] = [
        {"engine": name, "round": round_, "fps": math.exp(log_fps)}
        for name in names
        for round_, log_fps in speeds[name].items()
    ]
    colour, shape = ({"field": "engine", "type": "nominal", "sort": list(names), **look} for look in looks)
    y = {
        "field": "fps",
        "type": "quantitative",
        "title": "images/s of a trial",
        "scale": {"type": "log", "nice": False},
    }
    rounds = sorted({value["round"] for value in values})
    x = {"field": "round", "type": "quantitative", "axis": {"values": rounds, "format": "d", "grid": False}}
    x["scale"] = {"domain": [rounds[0], rounds[-1]], "padding": 12, "nice": False}
    return {
        "width": 330,
        "height": HEIGHT,
        "title": {"text": "What was measured, round by round", "color": INK, "fontSize": 13},
        "data": {"values": values},
        "encoding": {"x": x, "y": y | {"axis": {"tickCount": 5}}, "color": colour},
        "layer": [
            {"mark": {"type": "line", "strokeWidth": 1.5}},
            {"mark": "point", "encoding": {"shape": shape}},
        ],
    }


def _ratios(speeds: Table, standings: Sequence[Standing], leader: str) -> Spec:
    others = [each for each in standings if each.contender != leader]
    single = [
        {"engine": each.contender, "ratio": math.exp(speeds[leader][round_] - log_fps)}
        for each in others
        for round_, log_fps in speeds[each.contender].items()
        if round_ in speeds[leader]
    ]
    judged = [
        {
            "engine": each.contender,
            "ratio": each.ratio,
            "low": each.interval[0],
            "high": each.interval[1],
            "standing": STANDINGS[each.outcome][0],
        }
        for each in others
        if each.interval
    ]
    colour, shape = by_standing(judged)
    y = {"field": "engine", "type": "nominal", "sort": [each.contender for each in others], "title": None}
    x: Spec = {"type": "quantitative", "title": f"times slower than {leader}", "axis": {"tickCount": 5}}
    x["scale"] = {"type": "log", "nice": False, "padding": 8}
    band = {"low": 1 / (1 + INDIFFERENCE), "high": 1 + INDIFFERENCE}
    return {
        "width": 330,
        "height": HEIGHT,
        "title": {"text": "The same, paired by round, and the verdict", "color": INK, "fontSize": 13},
        "layer": [
            {
                "data": {"values": [band]},
                "mark": {"type": "rect", "color": FAINT, "opacity": 0.25},
                "encoding": {"x": {**x, "field": "low"}, "x2": {"field": "high"}},
            },
            {
                "data": {"values": single},
                "mark": {"type": "tick", "color": FAINT, "thickness": 1, "size": 14},
                "encoding": {"x": {**x, "field": "ratio"}, "y": y},
            },
            {
                "data": {"values": judged},
                "mark": {"type": "rule", "strokeWidth": 2},
                "encoding": {"x": {**x, "field": "low"}, "x2": {"field": "high"}, "y": y, "color": colour},
            },
            {
                "data": {"values": judged},
                "mark": "point",
                "encoding": {"x": {**x, "field": "ratio"}, "y": y, "color": colour, "shape": shape},
            },
        ],
    }


def on_paper(svg: str) -> str:
    """The drawing with the report's colours on white written out: a picture by itself has no style sheet."""
    style = (page.HERE / "style.css").read_text(encoding="utf-8").split("@media", 1)[0]
    colours = dict(re.findall(r"(--[\w-]+): (#\w+);", style))
    drawn = re.sub(r"var\((--[\w-]+)\)", lambda variable: colours[variable[1]], svg)
    return drawn.replace(">", f'><rect width="100%" height="100%" fill="{colours["--paper"]}"/>', 1)


def main() -> None:
    """Read the run, and draw it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run")
    parser.add_argument("model")
    parser.add_argument("batch_size", type=int)
    parser.add_argument("--results", type=Path, default=Path("results"))
    options = parser.parse_args()
    with Store.open(options.results, create=False) as store:
        run = store.run(options.run)
        spec = specification(run, list(store.trials(run.name)), options.model, options.batch_size)
    TARGET.write_text(on_paper(str(draw(spec, "race"))) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
