"""An engine's knobs: what an engine.toml declares of them, checked, and what values of them amount to."""

from collections.abc import Iterable, Iterator, Mapping

from bakeoff.records import THREADS, ContenderName, Knob, Scalar, word

WITHOUT_SPINNING = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "0", "KMP_BLOCKTIME": "0"}
"""OpenMP's threads sleep at once when they have nothing to do: standard (OpenMP 5.2, 21.7), GNU's and Intel's own"""
RESERVED = (THREADS, "precision", "batch_size", "model", "batch", "inputs", "outputs", "shapes", "engine")
"""what adapters get besides knobs, and recipes in capitals"""


def fault(name: str, knobs: Mapping[str, Knob], options: Iterable[str]) -> str:
    """What is wrong with the knob `name` of an engine that has these `knobs` and `options`; empty if nothing is."""
    return next(_faults(name, knobs[name], knobs, options), "")


def _faults(name: str, knob: Knob, knobs: Mapping[str, Knob], options: Iterable[str]) -> Iterator[str]:
    values = [word(value) for value in knob.values]
    if name in RESERVED or name in options:
        yield "adapters or recipes get something else by this name"
    yield from (
        f"{name}={value} cannot stand in a contender's name"
        for value in knob.values
        if not _can_be_written(name, value)
    )
    if len(set(values)) != len(values) or len(values) == 1:
        yield "it needs two values at least, each once"
    if knob.env and knob.applies != "process":
        yield 'env is for a knob that applies = "process"'
    if word(knob.default) in knob.env:
        yield "env is for other values than the default: what that needs belongs into the engine's env"
    for where, used in (
        ("default", [word(knob.default)]),
        ("env", knob.env),
        ("only", knob.only),
        ("fixes_batch", map(word, knob.fixes_batch)),
    ):
        yield from (
            f"{where}: {each!r} is none of its values, {', '.join(values)}" for each in used if each not in values
        )
    for other in knobs:
        if other != name and (shared := _variables_of(knob) & _variables_of(knobs[other])):
            yield f"env: {min(shared)} is a variable of {other} as well"
    for other, value in knob.needs.items():
        if other not in knobs or value_of(knobs[other], value) is None:
            yield f"needs: no other knob has the value {other}={word(value)}"


def _variables_of(knob: Knob) -> set[str]:
    return {variable for of_value in knob.env.values() for variable in of_value}


def _can_be_written(name: str, value: Scalar) -> bool:
    """Whether a contender's name that has this setting says the same again."""
    said = ContenderName.parse(f"x[{name}={word(value)}]")
    return said is not None and [(key, type(read), read) for key, read in said.settings] == [(name, type(value), value)]


def value_of(knob: Knob, asked: Scalar) -> Scalar | None:
    """The one of the knob's values that `asked` means: equal when written, since true is no 1; None if none is."""
    return next((value for value in knob.values if word(value) == word(asked)), None)


def besides_defaults(knobs: Mapping[str, Knob], settings: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """Those of `settings`, values of `knobs` each, that are no defaults."""
    return {name: value for name, value in settings.items() if word(value) != word(knobs[name].default)}


def variables(knobs: Mapping[str, Knob], settings: Mapping[str, Scalar]) -> dict[str, str]:
    """The environment variables that `settings` take, as far as they are of `knobs`."""
    return {
        variable: text
        for name, value in settings.items()
        if name in knobs
        for variable, text in knobs[name].env.get(word(value), {}).items()
    }
