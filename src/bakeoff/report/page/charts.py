"""The report's charts as Vega-Lite specifications: plain data, see https://vega.github.io/vega-lite/docs.

Colours are CSS variables of the page (`style.css`), so that one drawing serves both of its themes. Nothing is told by
colour alone: what has a colour has a shape or a label of its own, too. Names are only ever data, never part of an
expression.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from bakeoff.records import Heat, Latencies, Outcome, Summary, Verdict

Spec = dict[str, Any]

INK, FAINT, FAINTER = "var(--ink-2)", "var(--ink-3)", "var(--rule-2)"
SERIES = tuple(f"var(--series-{number})" for number in range(1, 7))
"""after Okabe & Ito, "Color Universal Design" (2008), in the shades of each theme"""
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")

STANDINGS = {
    Outcome.LEADER: ("leads", SERIES[0], "diamond"),
    Outcome.EQUIVALENT: ("equivalent to the leader", SERIES[2], "square"),
    Outcome.UNDECIDED: ("undecided", SERIES[4], "triangle-up"),
    Outcome.SLOWER: ("slower", FAINT, "circle"),
}
"""outcome -> what the legend says, and how it looks"""

FACETS_WIDTH = 640
"""pixels that the batch sizes of one model share"""
NARROWEST, WIDEST, ROW = 130, 300, 20
LETTER = 7.5
"""pixels of a letter in a label: the reader's own font may be wider than the one that Vega measured"""
FULL_WIDTH = 720
COST_WIDTH, COST_HEIGHT = 300, 240
LINE = 13
"""pixels from one name to the next above it"""
HEADROOM = 1.15
"""of a scale above its highest point, where names are pushed up"""
EDGE = 1.5
"""times the fastest of a chart: where its intervals are cut off"""
NAMED = len(SERIES)
"""engines that have a colour of their own in a line chart; the others are thin grey lines"""
LABELLED = 10
"""points that all have their names beside them; of more, only those that no other point beats in both respects"""

CONFIG: Spec = {
    "background": "transparent",
    "font": "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif",
    "aria": False,
    "padding": {"left": 4, "top": 4, "bottom": 4, "right": 48},
    "view": {"stroke": None},
    "axis": {
        "labelColor": INK,
        "titleColor": INK,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "titlePadding": 10,
        "labelLimit": 240,
        "gridColor": "var(--rule)",
        "domain": False,
        "tickColor": FAINTER,
    },
    "axisY": {"ticks": False, "labelPadding": 8},
    "header": {"labelColor": INK, "labelFontSize": 12, "labelFontWeight": 600, "title": None, "labelPadding": 6},
    "legend": {
        "labelColor": INK,
        "labelFontSize": 12,
        "labelLimit": 240,
        "title": None,
        "orient": "top",
        "columnPadding": 32,
        "symbolSize": 70,
        "symbolStrokeWidth": 0,
        "symbolOpacity": 1,
    },
    "point": {"filled": True, "opacity": 1, "size": 60},
    "text": {"color": INK, "fontSize": 12},
}


def throughput(rows: Sequence[Summary], verdicts: Sequence[Verdict]) -> Spec:
    """One model's images per second with their intervals: engines down, the fastest first, batch sizes across.

    All `rows` here and below have a speed.
    """
    standings = {(v.batch_size, s.contender): s.outcome for v in verdicts for s in v.standings}
    outcomes = [standings.get((row.case.batch_size, row.case.contender.name), Outcome.UNDECIDED) for row in rows]
    values = [value | {"standing": STANDINGS[of][0]} for value, of in zip(_speeds(rows), outcomes, strict=True)]
    colour, shape = by_standing(values)
    lines = _span("low", "high", "images/s", {"type": "rule", "strokeWidth": 2})
    lines["encoding"]["color"] = colour
    points = {"mark": "point", "encoding": {"x": _from_zero("fps", "images/s"), "color": colour, "shape": shape}}
    return _facets(values, _by_best((label(row), row.fps) for row in rows), [lines, points])


def by_standing(values: Iterable[Spec]) -> tuple[Spec, Spec]:
    """Colour and shape by the field `standing` of `values`, with a legend of those that there are."""
    there = {value["standing"] for value in values}
    names, colours, shapes = zip(*(look for look in STANDINGS.values() if look[0] in there), strict=True)
    return _nominal("standing", names, colours), _nominal("standing", names, shapes)


def label(row: Summary) -> str:
    """The engine, with its league where that is not the one asked for: leagues are never ranked together."""
    contender = row.case.contender
    return contender.name if row.league == contender.precision else f"{contender.name} ({row.league})"


def edge(rows: Sequence[Summary]) -> float:
    """How far intervals are drawn: those of few rounds can be so wide that nothing else would show beside them."""
    return EDGE * max((row.fps for row in rows if row.fps is not None), default=0.0)


def _speeds(rows: Sequence[Summary]) -> list[Spec]:
    most = edge(rows)
    return [
        {
            "engine": label(row),
            "batch": row.case.batch_size,
            "fps": row.fps,
            "low": row.fps_ci95[0] if row.fps_ci95 else row.fps,
            "high": min(most, row.fps_ci95[1]) if row.fps_ci95 else row.fps,
        }
        for row in rows
    ]


def latencies(found: Sequence[Latencies]) -> Spec:
    """One model's latencies: the middle half as a bar, 5th to 95th percentile as a line, the median as a tick."""
    values = [
        {"engine": each.case.contender.name, "batch": each.case.batch_size}
        | {name: getattr(each, name) for name in ("p5", "p25", "p50", "p75", "p95")}
        for each in found
    ]
    order = _by_best((each.case.contender.name, each.case.batch_size / each.p50) for each in found)
    title = "ms per batch"
    tick = {"type": "tick", "thickness": 2, "size": 13, "color": "var(--ink)"}
    layers = [
        _span("p5", "p95", title, {"type": "rule", "strokeWidth": 1.5, "color": SERIES[0]}),
        _span("p25", "p75", title, {"type": "bar", "size": 9, "color": SERIES[0], "opacity": 0.45}),
        {"mark": tick, "encoding": {"x": _from_zero("p50", title)}},
    ]
    return _facets(values, order, layers) | {"resolve": {"scale": {"x": "independent"}}}


def _nominal(field: str, domain: Sequence[str], range_: Sequence[str]) -> Spec:
    """A colour or a shape for each value of a field."""
    return {"field": field, "type": "nominal", "scale": {"domain": domain, "range": range_}}


def _from_zero(field: str, title: str, ticks: int = 4) -> Spec:
    return {
        "type": "quantitative",
        "title": title,
        "scale": {"zero": True},
        "axis": {"tickCount": ticks},
        "field": field,
    }


def _span(low: str, high: str, title: str, mark: Spec) -> Spec:
    """A mark from one field to another, along x."""
    return {"mark": mark, "encoding": {"x": _from_zero(low, title), "x2": {"field": high}}}


def _facets(values: list[Spec], order: Sequence[str], layers: list[Spec]) -> Spec:
    sizes = sorted({value["batch"] for value in values})
    width = max(NARROWEST, min(WIDEST, FACETS_WIDTH // len(sizes)))
    y: Spec = {"field": "engine", "type": "nominal", "sort": order, "title": None}
    y["axis"] = {"grid": True, "minExtent": LETTER * (1 + max(map(len, order)))}
    titled = [value | {"title": f"batch {value['batch']}"} for value in values]
    return {
        "data": {"values": titled},
        "facet": {"column": {"field": "title", "type": "nominal", "sort": [f"batch {size}" for size in sizes]}},
        "spacing": 24,
        "spec": {"width": width, "height": {"step": ROW}, "encoding": {"y": y}, "layer": layers},
    }


def scaling(rows: Sequence[Summary]) -> Spec:
    """One model's images per second over the batch size: the fastest engines named, the others thin and grey."""
    values = _speeds(rows)
    named = _by_best((label(row), row.fps) for row in rows)[:NAMED]
    sizes = sorted({row.case.batch_size for row in rows})
    x: Spec = {"field": "batch", "type": "quantitative", "title": "batch size"}
    x["scale"] = {"type": "log", "base": 2, "domain": [sizes[0], sizes[-1]], "nice": False, "padding": 12}
    x["axis"] = {"values": sizes, "format": "d", "grid": False}
    y = _from_zero("fps", "images/s", 6)
    legend = {"sort": named, "legend": {"orient": "right", "symbolType": "circle"}}
    colour = _nominal("engine", named, SERIES[: len(named)]) | legend
    shape = _nominal("engine", named, SHAPES[: len(named)]) | {"sort": named, "legend": {"orient": "right"}}
    others = {
        "data": {"values": [value for value in values if value["engine"] not in named]},
        "mark": {"type": "line", "strokeWidth": 1, "color": FAINTER},
        "encoding": {"y": y, "detail": {"field": "engine"}},
    }
    intervals = {
        "mark": {"type": "rule", "strokeWidth": 1, "opacity": 0.6},
        "encoding": {"y": {**y, "field": "low"}, "y2": {"field": "high"}, "color": colour},
    }
    fastest = {
        "data": {"values": [value for value in values if value["engine"] in named]},
        "layer": [
            intervals,
            {"mark": {"type": "line", "strokeWidth": 2}, "encoding": {"y": y, "color": colour}},
            {"mark": "point", "encoding": {"y": y, "color": colour, "shape": shape}},
        ],
    }
    return {"width": FULL_WIDTH - 220, "height": 260, "encoding": {"x": x}, "layer": [others, fastest]}


def costs(rows: Sequence[Summary]) -> Spec | None:
    """One model's images per second against peak memory and against the time to load it, at one batch size.

    None where no row has both. The rows should be of one batch size, or the figures mean nothing together.
    """
    memory, load = _cost(rows, "peak_rss_mb", "peak memory, MB"), _cost(rows, "load_s", "time to load, s", log=True)
    drawn = [panel for panel in (memory, load) if panel]
    return {"hconcat": drawn, "spacing": 48} if drawn else None


def _cost(rows: Sequence[Summary], field: str, title: str, *, log: bool = False) -> Spec | None:
    points = [(row, cost, row.fps) for row in rows if (cost := getattr(row, field)) and row.fps is not None]
    if not points:
        return None
    best = {label(row) for row, cost, fps in points if not _beaten(row, cost, fps, points)}
    names = ["beaten by none in both", "beaten in both"]
    values = [
        {"engine": label(row), "cost": cost, "fps": fps, "standing": names[label(row) not in best]}
        for row, cost, fps in points
    ]
    top = HEADROOM * max(fps for _, _, fps in points)
    named = [(label(row), cost, fps) for row, cost, fps in points if label(row) in best or len(points) <= LABELLED]
    labels = [{"engine": name, "cost": x, "fps": y} for name, x, y in apart(named, top * LINE / COST_HEIGHT)]
    x: Spec = {"field": "cost", "type": "quantitative", "title": title, "axis": {"tickCount": 4, "grid": False}}
    x["scale"] = {"type": "log", "nice": False, "padding": 16} if log else {"zero": True}
    y = {"field": "fps", "type": "quantitative", "title": "images/s", "axis": {"tickCount": 5}}
    y["scale"] = {"domain": [0, top], "nice": False}
    colour, shape = _nominal("standing", names, [SERIES[0], FAINT]), _nominal("standing", names, ["diamond", "circle"])
    text = {"type": "text", "align": "left", "baseline": "middle", "dx": 9, "fontSize": 11}
    return {
        "width": COST_WIDTH,
        "height": COST_HEIGHT,
        "encoding": {"x": x, "y": y},
        "layer": [
            {"data": {"values": values}, "mark": "point", "encoding": {"color": colour, "shape": shape}},
            {"data": {"values": labels}, "mark": text, "encoding": {"text": {"field": "engine"}}},
        ],
    }


def _beaten(row: Summary, cost: float, fps: float, points: Iterable[tuple[Summary, float, float]]) -> bool:
    """Whether another of its league is both faster and cheaper."""
    return any(other.league == row.league and less < cost and more > fps for other, less, more in points)


def apart(points: Iterable[tuple[str, float, float]], gap: float) -> list[tuple[str, float, float]]:
    """Places for the names of points (name, x, y): from below, each is pushed up until it is `gap` above the last."""
    placed: list[tuple[str, float, float]] = []
    for name, x, y in sorted(points, key=lambda point: point[2]):
        placed.append((name, x, max(y, placed[-1][2] + gap) if placed else y))
    return placed


def time_line(heats: Sequence[Heat]) -> Spec | None:
    """The canary's speed and what others took of the CPUs over the race, with disturbed heats marked.

    None where neither is known.
    """
    states = ("undisturbed", "disturbed by others")
    colour = _nominal("state", states, [FAINT, SERIES[1]])
    shape = _nominal("state", states, ["circle", "triangle-up"])
    end = max((heat.minute for heat in heats), default=0.0)
    x: Spec = {"field": "minute", "type": "quantitative", "title": "minutes since the race began"}
    x |= {"scale": {"domain": [0, end or 1.0], "nice": False, "padding": 8}, "axis": {"grid": False, "tickCount": 8}}
    panels: list[Spec] = []
    for title, from_zero, figures in (
        ("canary, % of its median", False, [heat.canary for heat in heats]),
        ("taken by others, % of CPU time", True, [heat.taken for heat in heats]),
    ):
        values = [
            {"minute": heat.minute, "percent": 100 * figure, "zero": 0, "state": states[heat.disturbed]}
            for heat, figure in zip(heats, figures, strict=True)
            if figure is not None
        ]
        y = _from_zero("percent", title) | {"scale": {"zero": from_zero}}
        line: Spec = {"mark": {"type": "line", "strokeWidth": 1, "color": FAINTER}, "encoding": {"y": y}}
        if from_zero:
            line["mark"] = {"type": "rule", "strokeWidth": 1.5}
            line["encoding"] |= {"y2": {"field": "zero"}, "color": colour}
        points = {"mark": {"type": "point", "size": 36}, "encoding": {"y": y, "color": colour, "shape": shape}}
        panel = {"width": FULL_WIDTH, "height": 130, "encoding": {"x": x}, "layer": [line, points]}
        panels += [panel | {"data": {"values": values}}] if values else []
    resolve = {"scale": {"color": "shared", "shape": "shared"}}
    return {"vconcat": panels, "spacing": 20, "resolve": resolve} if panels else None


def _by_best(figures: Iterable[tuple[str, float | None]]) -> list[str]:
    """Engines by their highest figure, the highest first; without any figure they are left out."""
    best: dict[str, float] = {}
    for engine, figure in figures:
        if figure is not None:
            best[engine] = max(best.get(engine, 0.0), figure)
    return sorted(best, key=lambda engine: -best[engine])
