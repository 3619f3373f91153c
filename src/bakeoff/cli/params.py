"""Option types that several commands share."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import click

if TYPE_CHECKING:
    from bakeoff.records import Request

P = ParamSpec("P")
T = TypeVar("T")

DEFAULT_OUTPUT = Path("results")
MOST_PERCENT = 90
PATHS = ("inputs", "data", "python", "requirements")
"""fields of a `Request` that hold a path"""
SECONDS = {"s": 1, "m": 60, "h": 3600}
UNITS_OF_LATENCY = {"us": 1e-6, "ms": 1e-3, "s": 1.0}


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


class Latency(click.ParamType[float]):
    """``50ms``, ``0.5s``, ``800us`` -> seconds."""

    name = "latency"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds, above zero; anything else fails as click does, a number without its unit included."""
        if isinstance(value, float):
            return value
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(us|ms|s)", str(value).strip().lower())
        seconds = float(found[1]) * UNITS_OF_LATENCY[found[2]] if found else 0.0
        if seconds <= 0:
            self.fail(f"{value!r}: write a time above zero with its unit, like 50ms or 0.5s", param, ctx)
        return seconds


class Names(click.ParamType[tuple[str, ...]]):
    """``a,b[x=1,y=2]`` -> ("a", "b[x=1,y=2]")."""

    name = "names"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """The names, stripped; an empty one fails as click does."""
        if isinstance(value, tuple):
            return value
        names = tuple(name.strip() for name in re.split(r",(?![^\[\]]*\])", str(value)))
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


class Percent(click.ParamType[float]):
    """``5%`` or ``5`` -> 0.05."""

    name = "percent"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The share; what lies outside of 0 to 90% fails as click does."""
        if isinstance(value, float):
            return value
        text = str(value).strip().removesuffix("%").strip()
        if not re.fullmatch(r"\d+(\.\d+)?", text):
            self.fail(f"{value!r} is no percentage; write 5%", param, ctx)
        share = float(text) / 100
        if not 0 < share <= MOST_PERCENT / 100:
            self.fail(f"{value!r}: give more than 0% and at most {MOST_PERCENT}%", param, ctx)
        return share


class Tag(click.ParamType[str]):
    """A name to find runs by, that no run's own name and no date can be."""

    name = "tag"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The tag; one that could be taken for something else fails as click does."""
        from bakeoff.errors import UsageError
        from bakeoff.store.lookup import check_tag

        tag = str(value)
        try:
            check_tag(tag)
        except UsageError as error:
            self.fail(str(error), param, ctx)
        return tag


class Shape(click.ParamType[tuple[str, tuple[int, ...]]]):
    """``input=1x3x320x640`` -> ("input", (1, 3, 320, 640)); ``sequence=128`` names an axis."""

    name = "name=sizes"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, tuple[int, ...]]:
        """Name and sizes; anything but whole numbers of at least 1 fails as click does."""
        if isinstance(value, tuple):
            return value
        name, equals, text = str(value).rpartition("=")
        try:
            sizes = tuple(int(size) for size in text.lower().split("x"))
        except ValueError:
            sizes = ()
        if not (name and equals and sizes) or min(sizes) < 1:
            self.fail(f"{value!r}: write NAME=SIZES, like input=1x3x320x640 or sequence=128", param, ctx)
        return name, sizes


def shaping_options(command: Callable[P, T]) -> Callable[P, T]:
    """The options for a model of the user's own, as `Request` has them."""
    for option in (
        click.option(
            "--input",
            "inputs",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="An .npz of real inputs, by name, samples along the batch axis; for a model of your own.",
        ),
        click.option(
            "--batch-axis",
            multiple=True,
            metavar="AXIS",
            help="Its batch axis: a number, a name, INPUT=NUMBER, or none.  [default: found in the model]",
        ),
        click.option(
            "--shape",
            "shapes",
            type=Shape(),
            multiple=True,
            metavar="NAME=SIZES",
            help="Sizes that it leaves open: INPUT=1x3x320x640 or AXIS=128. May be given more than once.",
        ),
    ):
        command = option(command)
    return command


def factory_options(command: Callable[P, T]) -> Callable[P, T]:
    """The options for a model that the user's own code builds."""
    for option in (
        click.option(
            "--requirements",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="... or a requirements file of what that code needs besides PyTorch.",
        ),
        click.option(
            "--python",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="For package.module:factory: the Python that imports it, with PyTorch.  [default: bakeoff's own]",
        ),
    ):
        command = option(command)
    return command


def as_request(**asked: Any) -> "Request":
    """What a command's options ask for: each is called as the field of `Request` that it fills."""
    from bakeoff.records import Request

    paths = {name: str(value or "") for name, value in asked.items() if name in PATHS}
    several = {name: tuple(map(str, asked[name])) for name in ("engines_dirs",) if name in asked}
    shapes = {"shapes": dict(asked["shapes"])} if "shapes" in asked else {}
    return Request(**{**asked, **paths, **several, **shapes})


indifference_option = click.option(
    "--indifference",
    type=Percent(),
    metavar="PERCENT",
    help="Within it, contenders are equivalent; no narrower than raced for.  [default: what was raced for]",
)
exclude_option = click.option("--exclude", type=Names(), default=(), help="Engines to leave out, named the same way.")
output_option = click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=DEFAULT_OUTPUT,
    show_default=True,
    help="The folder of the store and of each run's files.",
)
store_option = click.option(
    "--store",
    "store_url",
    metavar="URL",
    envvar="BAKEOFF_STORE",
    show_envvar=True,
    help="postgresql://USER@HOST/DATABASE: a store that a team shares, instead of the output folder's own.",
)
tag_option = click.option("--tag", "tags", type=Tag(), multiple=True, help="A name to find the run by, later.")
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
