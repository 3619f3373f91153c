"""Option types that several commands share."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

import click

if TYPE_CHECKING:
    from bakeoff.records import Request, Scalar

P = ParamSpec("P")
T = TypeVar("T")

DEFAULT_OUTPUT = Path("results")
MOST_PERCENT = 90
MOST_SAMPLES = 2**20
"""of a batch: more is a slip of the hand, and its inputs would fill any memory"""
PATHS = ("inputs", "data", "python", "requirements")
"""fields of a `Request` that hold a path"""
SECONDS = {"s": 1, "m": 60, "h": 3600}
MEGABYTES = {"MB": 1.0, "GB": 1000.0}
UNITS_OF_LATENCY = {"us": 1e-6, "ms": 1e-3, "s": 1.0}


KEY = click.Path(exists=True, dir_okay=False, path_type=Path)


def needs_extra(option: str, module: str) -> None:
    """Raise `UsageError` where the `module` that an option of packs takes is not installed."""
    from importlib.util import find_spec

    from bakeoff.errors import UsageError

    if not find_spec(module):
        raise UsageError(f"{option}: {module.replace('_', '-')} is not installed", "pip install 'bakeoff[ship]'")


class Parsed(click.ParamType[T]):
    """A type whose `read` makes a value of text, and raises `ValueError` with the reason where it cannot."""

    def read(self, text: str) -> T:
        """The value that `text` stands for."""
        raise NotImplementedError

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> T:
        """The value; text that stands for none fails as click does. A default that is no text is the value itself."""
        if not isinstance(value, str):
            return cast(T, value)
        try:
            return self.read(value)
        except ValueError as error:
            self.fail(f"{value!r}{error}", param, ctx)


class Duration(Parsed[float]):
    """``90``, ``90s``, ``15m``, ``1h30m`` -> seconds, above 0."""

    name = "duration"

    def read(self, text: str) -> float:
        text = text.strip().lower()
        parts = re.findall(r"(\d+(?:\.\d+)?)([smh])", text)
        if re.fullmatch(r"\d+(\.\d+)?", text):
            seconds = float(text)
        elif parts and "".join(number + unit for number, unit in parts) == text:
            seconds = sum(float(number) * SECONDS[unit] for number, unit in parts)
        else:
            raise ValueError(" is no duration; write 90s, 15m or 1h30m")
        if seconds <= 0:
            raise ValueError(" is no time at all")
        return seconds


class Latency(Parsed[float]):
    """``50ms``, ``0.5s``, ``800us`` -> seconds, above 0; a number needs its unit."""

    name = "latency"

    def read(self, text: str) -> float:
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(us|ms|s)", text.strip().lower())
        seconds = float(found[1]) * UNITS_OF_LATENCY[found[2]] if found else 0.0
        if seconds <= 0:
            raise ValueError(": write a time above zero with its unit, like 50ms or 0.5s")
        return seconds


class Memory(Parsed[float]):
    """``500MB``, ``1.5GB`` -> megabytes, above 0; a number needs its unit."""

    name = "memory"

    def read(self, text: str) -> float:
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(MB|GB)", text.strip().upper())
        megabytes = float(found[1]) * MEGABYTES[found[2]] if found else 0.0
        if megabytes <= 0:
            raise ValueError(": write an amount above zero with its unit, like 500MB or 2GB")
        return megabytes


class Names(Parsed[tuple[str, ...]]):
    """``a,b[x=1,y=2]`` -> ("a", "b[x=1,y=2]"), stripped, none of them empty."""

    name = "names"

    def read(self, text: str) -> tuple[str, ...]:
        names = tuple(name.strip() for name in re.split(r",(?![^\[\]]*\])", text))
        if not all(names):
            raise ValueError(" has an empty name in it")
        return names


class Values(Parsed[tuple["Scalar", ...]]):
    """``1,2,default`` -> (1, 2, "default"): values of a setting, as contenders' names write them."""

    name = "values"

    def read(self, text: str) -> "tuple[Scalar, ...]":
        from bakeoff.records.contenders import scalar

        words = [word.strip() for word in text.split(",")]
        if not all(words):
            raise ValueError(": write values with commas, like 1,2")
        return tuple(map(scalar, words))


class Setting(Parsed[tuple[str, tuple["Scalar", ...]]]):
    """``openvino.streams=1,2`` -> ("openvino.streams", (1, 2))."""

    name = "setting"

    def read(self, text: str) -> "tuple[str, tuple[Scalar, ...]]":
        key, equals, values = text.partition("=")
        if not (equals and "." in key and values):
            raise ValueError(": write ENGINE.KNOB=VALUE, like onnxruntime.spin=false; several values with commas")
        return key.strip(), Values().read(values)


class BatchSizes(Parsed[tuple[int, ...]]):
    """``1,2,4,8`` -> (1, 2, 4, 8), each at least 1."""

    name = "batch sizes"

    def read(self, text: str) -> tuple[int, ...]:
        sizes = _whole_numbers(text.split(","))
        if not sizes:
            raise ValueError(": write whole numbers with commas, like 1,2,4,8")
        if min(sizes) < 1:
            raise ValueError(": a batch has at least one sample")
        if max(sizes) > MOST_SAMPLES:
            raise ValueError(f": a batch has at most {MOST_SAMPLES:,} samples")
        return sizes


class Percent(Parsed[float]):
    """``5%`` or ``5`` -> 0.05, a share above 0 and at most 0.9."""

    name = "percent"

    def read(self, text: str) -> float:
        number = text.strip().removesuffix("%").strip()
        if not re.fullmatch(r"\d+(\.\d+)?", number):
            raise ValueError(" is no percentage; write 5%")
        share = float(number) / 100
        if not 0 < share <= MOST_PERCENT / 100:
            raise ValueError(f": give more than 0% and at most {MOST_PERCENT}%")
        return share


class Tag(Parsed[str]):
    """A name to find runs by, that no run's own name and no date can be."""

    name = "tag"

    def read(self, text: str) -> str:
        from bakeoff.errors import UsageError
        from bakeoff.store.lookup import check_tag

        try:
            check_tag(text)
        except UsageError as error:
            raise ValueError(str(error).removeprefix(repr(text))) from error
        return text


class Shape(Parsed[tuple[str, tuple[int, ...]]]):
    """``input=1x3x320x640`` -> ("input", (1, 3, 320, 640)); ``sequence=128`` names an axis. Sizes are at least 1."""

    name = "name=sizes"

    def read(self, text: str) -> tuple[str, tuple[int, ...]]:
        name, equals, after = text.rpartition("=")
        sizes = _whole_numbers(after.lower().split("x"))
        if not (name and equals and sizes) or min(sizes) < 1:
            raise ValueError(": write NAME=SIZES, like input=1x3x320x640 or sequence=128")
        return name, sizes


def _whole_numbers(texts: Sequence[str]) -> tuple[int, ...]:
    """The numbers; none at all if one of `texts` is no whole number."""
    try:
        return tuple(map(int, texts))
    except ValueError:
        return ()


FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
"""a file that is there"""
TARGET = click.Path(dir_okay=False, allow_dash=True, path_type=Path)
"""a file to write"""
STDOUT = Path("-")
"""what `TARGET` makes of a dash"""


def given(context: click.Context, *names: str) -> list[str]:
    """Those of the parameters `names` that the command line gives; the others have their defaults."""
    return [name for name in names if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE]


def shaping_options(command: Callable[P, T]) -> Callable[P, T]:
    """The options for a model of the user's own, as `Request` has them."""
    for option in (
        click.option(
            "--input",
            "inputs",
            type=FILE,
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
            type=FILE,
            help="... or a requirements file of what that code needs besides PyTorch.",
        ),
        click.option(
            "--python",
            type=FILE,
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
    return Request(**{**asked, **paths, **several, **shapes, **_settings(**asked)})


def _settings(
    threads: "tuple[Scalar, ...] | int | None" = None,
    settings: "Sequence[tuple[str, tuple[Scalar, ...]]]" = (),
    **_others: Any,
) -> dict[str, Any]:
    """One number of threads is everybody's; several, or as many as a framework takes, are a setting of each engine."""
    found: dict[str, tuple[Scalar, ...]] = {}
    for key, values in settings:
        found[key] = (*found.get(key, ()), *values)
    if not isinstance(threads, tuple):
        return {"threads": threads, "settings": found}
    if len(threads) == 1 and isinstance(threads[0], int):
        return {"threads": threads[0], "settings": found}
    return {"threads": None, "settings": {"*.threads": threads} | found}


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
threads_option = click.option(
    "--threads",
    type=Values(),
    metavar="NUMBER",
    help="Intra-op threads; several race each: 1,2,default, where default asks the framework for none."
    "  [default: the CPUs we may use]",
)
set_option = click.option(
    "--set",
    "settings",
    type=Setting(),
    multiple=True,
    metavar="ENGINE.KNOB=VALUE",
    help="A knob's values, with commas (`bakeoff engines knobs`); each combination races. May be given more than once.",
)
strict_option = click.option(
    "--strict", is_flag=True, help="Measure nothing, and exit with 4, if `bakeoff machine --audit` finds anything."
)
