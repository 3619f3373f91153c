"""The little Markdown that the document needs."""

from collections.abc import Iterable, Sequence

from bakeoff.report import wording


def table(header: Sequence[str], body: Iterable[Sequence[str]], *, left: int = 1) -> str:
    """A table whose first `left` columns are aligned left, the others right. Cells must be escaped already."""
    rule = [*["---"] * left, *["---:"] * (len(header) - left)]
    return "\n".join(f"| {' | '.join(line)} |" for line in [header, rule, *body])


def bullets(lines: Iterable[str]) -> str:
    """A list."""
    return "\n".join(f"- {line}" for line in lines)


def code(*lines: str) -> str:
    """Lines to type."""
    return "\n".join(["```", *lines, "```"])


def escape(text: str) -> str:
    """Text of an engine's or a user's own making, on one line, so that Markdown shows it as it is."""
    text = wording.one_line(text)
    for special in ("\\", "`", "*", "_", "<", "[", "|"):
        text = text.replace(special, f"\\{special}")
    return text
