"""The small files in which Linux describes itself. Packs carry this file along, see `bakeoff.ship`: Python 3.8."""

from __future__ import annotations

from pathlib import Path

ROOT = Path("/")
"""where they lie, unless recorded ones stand in"""


def text(file: Path) -> str:
    """What stands in it; "" where it cannot be read."""
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def number(file: Path) -> int | None:
    """The whole number, not negative, that stands in it alone; None without one."""
    content = text(file).strip()
    return int(content) if content.isdigit() else None
