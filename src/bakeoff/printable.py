"""Text that is not ours, a model's names or an engine's last words, as it may be shown: escaped, and cut.

All that commands print goes through `Visible` and all text files through `visible`: no name in a model can move a
cursor, change a title, or make a line read otherwise than it stands in the file.
"""

import io
import re
import sys
from typing import TextIO

MOST_OF_A_NAME = 80
MOST_OF_A_LINE = 2000
"""characters"""
_HIDDEN = r"\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069"
"""control characters but for tab and line feed, other ends of lines, and what turns the direction of text round
(Boucher and Anderson, "Trojan Source", 2023)"""
_ESCAPED = re.compile(f"[{_HIDDEN}]")


def visible(text: str, *, colours: bool = False) -> str:
    """`text` with six characters as JSON has them for a hidden one, so that strings in JSON stay what they are.

    Codes of colours are left if there may be some.
    """
    parts = re.split(r"(\x1b\[[0-9;]*m)", text) if colours else [text]
    return "".join(part if i % 2 else _ESCAPED.sub(_escape, part) for i, part in enumerate(parts))


def cut(text: str, most: int = MOST_OF_A_NAME) -> str:
    """`text` in one line of at most `most` characters, the missing ones marked by an ellipsis."""
    return shortened(" ".join(text.split()), most)


def shortened(text: str, most: int) -> str:
    """The beginning of `text`, and an ellipsis if there is more than `most` characters."""
    return text if len(text) <= most else text[: most - 3] + "..."


def _escape(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


class Visible(io.TextIOWrapper):
    """A stream of text in which nothing but letters, lines and, on a terminal, colours can be written."""

    def __init__(self, stream: TextIO) -> None:
        # A Windows console in a legacy code page must not fail on the ± of a table.
        super().__init__(stream.buffer, encoding=stream.encoding, errors="replace", line_buffering=stream.isatty())
        self.unescaped = stream

    def write(self, text: str) -> int:
        """Write `text`, escaped."""
        super().write(visible(text, colours=self.isatty()))
        return len(text)


def guard_streams() -> None:
    """Let stdout and stderr be `Visible` from now on, where they are streams of bytes below."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            stream.flush()
            setattr(sys, name, Visible(stream))


def unescaped_stderr() -> TextIO:
    """Stderr for a live display, which moves the cursor itself: what it shows must be `visible`."""
    return sys.stderr.unescaped if isinstance(sys.stderr, Visible) else sys.stderr
