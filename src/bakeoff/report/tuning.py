"""What tuning says, as text, Markdown and JSON."""

import shlex
from collections.abc import Callable, Iterable, Sequence

from bakeoff.judge.table.answer import bounds
from bakeoff.judge.tuning.found import Confirmed, Effect, Tuned
from bakeoff.records import word
from bakeoff.report import markup, wording
from bakeoff.scorecards import Change

MARKS = {Change.EQUIVALENT: "= ", Change.UNDECIDED: "? "}
TableOf = Callable[[Sequence[str], Sequence[Sequence[str]], Sequence[int]], str]

to_json = markup.as_json


def to_text(said: Tuned, *, width: int) -> str:
    """For a terminal `width` columns wide."""

    def table(header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int]) -> str:
        return markup.as_text(header, rows, width=width, right=right)

    return _parts(said, said.sentence, table, lambda lines: "\n".join(f"  {line}" for line in lines))


def to_markdown(said: Tuned) -> str:
    """For a page."""

    def listed(lines: Iterable[str]) -> str:
        return markup.bullets(map(markup.escaped, lines))

    return _parts(said, f"**{markup.escaped(said.sentence)}**", markup.as_markdown, listed)


def _parts(said: Tuned, answer: str, table: TableOf, listed: Callable[[Iterable[str]], str]) -> str:
    unit = "images/s" if said.objective == "latency" else "samples/s"
    parts = [
        f"{said.model}, batch {said.batch_size}, for {said.objective}: {answer}",
        f"Confirmed in run {said.run}, {said.state}, on rounds that picked none of them:",
        table(("contender", unit, "ms", "over its default", "verdict"), _confirmed(said), (1, 2)),
    ]
    front = [each for each in said.confirmed if each.pareto]
    if any(each.memory_mb is not None for each in front):
        parts += [
            "Speed, memory and start; of these none is beaten in all three:",
            table(("contender", unit, "memory", "start"), _front(front), (1, 2, 3)),
        ]
    if said.effects:
        parts += [
            "What each setting is worth alone, on average over the others, by the search:",
            table(("engine", "setting", "throughput", "points"), _effects(said.effects), (3,)),
        ]
    if lines := [f"{each.name}: {wording.one_line(each.reason)}" for each in said.left_out]:
        parts += ["Left out:", listed(lines)]
    searched = f"{said.raced} of {said.points} points have a speed. None of its figures stands here but effects."
    parts.append(f"The search, {_runs(said.searched)}: {searched}")
    if said.answer:
        parts.append(f"How to use it: bakeoff recipe {said.run} --engine {shlex.quote(said.answer)}")
    return "\n\n".join(parts) + "\n"


def _runs(names: Sequence[str]) -> str:
    *most, last = names
    return f"runs {', '.join(most)} and {last}" if most else f"run {last}"


def _confirmed(said: Tuned) -> list[list[str]]:
    return [
        [
            each.point.name,
            f"{wording.number(each.fps)} {wording.plus_minus(each.fps_ci95)}".strip(),
            wording.number(each.latency_ms),
            _gain(each),
            _verdict(each, said.answer),
        ]
        for each in said.confirmed
    ]


def _gain(each: Confirmed) -> str:
    if each.gain is None:
        return "its own default" if each.point.is_default else wording.NONE
    return f"{MARKS.get(each.change, '') if each.change else ''}{each.gain:.2f}x {bounds(each.interval)}".rstrip()


def _verdict(each: Confirmed, answer: str | None) -> str:
    words = [each.change.value] if each.change else []
    words += ["the answer"] * (each.point.name == answer)
    words += [wording.one_line(each.unfit)] if each.unfit else []
    return "; ".join(words)


def _front(front: Sequence[Confirmed]) -> list[list[str]]:
    return [
        [
            each.point.name,
            wording.number(each.fps),
            wording.number(each.memory_mb, " MB"),
            wording.seconds(each.start_s),
        ]
        for each in sorted(front, key=lambda each: -(each.fps or 0.0))
    ]


def _effects(effects: Sequence[Effect]) -> list[list[str]]:
    return [
        [
            each.engine,
            f"{each.knob}={word(each.value)} instead of {word(each.default)}",
            f"{each.ratio:.2f}x {bounds(each.interval)}",
            str(each.points),
        ]
        for each in effects
    ]
