"""Option types that several commands share."""

import re
from pathlib import Path

import click

DEFAULT_OUTPUT = Path("results")
SECONDS = {"s": 1, "m": 60, "h": 3600}


class Duration(click.ParamType[float]):
    """``90``, ``90s``, ``15m``, ``1h30m`` -> seconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds as a float; a value that has no such form fails as click does."""
        if isinstance(value, int | float):
            return float(value)
        text = str(value).strip().lower()
        parts = re.findall(r"(\d+(?:\.\d+)?)([smh])", text)
        if re.fullmatch(r"\d+(\.\d+)?", text):
            seconds = float(text)
        elif parts and "".join(number + unit for number, unit in parts) == text:
            seconds = sum(float(number) * SECONDS[unit] for number, unit in parts)
        else:
            self.fail(f"{value!r} is no duration; write 90s, 15m or 1h30m", param, ctx)
        if seconds <= 0:
            self.fail(f"{value!r} is no time at all", param, ctx)
        return seconds


class Names(click.ParamType[tuple[str, ...]]):
    """``a,b,c`` -> ("a", "b", "c")."""

    name = "names"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """The names, stripped; an empty one fails as click does."""
        if isinstance(value, tuple):
            return value
        names = tuple(name.strip() for name in str(value).split(","))
        if not all(names):
            self.fail(f"{value!r} has an empty name in it", param, ctx)
        return names


class BatchSizes(click.ParamType[tuple[int, ...]]):
    """``1,2,4,8`` -> (1, 2, 4, 8)."""

    name = "batch sizes"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """The sizes; anything but whole numbers of at least 1 fails as click does."""
        if isinstance(value, tuple):
            return value
        try:
            sizes = tuple(int(size) for size in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r}: write whole numbers with commas, like 1,2,4,8", param, ctx)
        if min(sizes) < 1:
            self.fail(f"{value!r}: a batch has at least one sample", param, ctx)
        return sizes


output_option = click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=DEFAULT_OUTPUT,
    show_default=True,
    help="The folder of the store and of each run's files.",
)
engines_dir_option = click.option(
    "--engines-dir",
    "engines_dirs",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    multiple=True,
    help="A folder with engines of your own; may be given more than once.",
)
strict_option = click.option(
    "--strict", is_flag=True, help="Measure nothing, and exit with 4, if `bakeoff machine --audit` finds anything."
)
