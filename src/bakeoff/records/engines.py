"""Engines, their environments, and the forms of models that they take."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from bakeoff.records.base import Record
from bakeoff.records.contenders import Scalar

OWN = "own-"
"""prefix of the form of a user's own file, before its format: "own-pt2" """


class EnvironmentFields(Record, frozen=True):
    """An environment's fields that its engine.toml gives as they are."""

    kind: str
    """one of `bakeoff.environments.kinds`: "uv" """
    python: str | None = None
    """"3.11"; None for kinds that have their own"""
    requirements: tuple[str, ...] = ()
    """from which the lock was made; for `debian`, package names"""
    suite: str | None = None
    """`debian` only: the release whose packages are taken"""
    download_mb: int = 0
    disk_mb: int = 0


class EnvironmentSpec(EnvironmentFields, frozen=True, kw_only=True):
    """A locked, isolated installation, as its engine.toml declares it."""

    name: str
    lock: Path
    """absolute path of the lock"""


class ModelFields(Record, frozen=True):
    """A model form's fields that an engine.toml gives as they are."""

    format: str
    """"onnx", "plain" (see `bakeoff.models.sandboxed.plain_graph`), or what a converter of some engine folder writes"""
    max_ir_version: int | None = None
    """that an old ONNX reader still reads, as `max_opset`"""
    max_opset: int | None = None


class ModelForm(ModelFields, frozen=True, kw_only=True):
    """The form in which an engine takes a model."""

    converter: "Converter | None" = None
    """which writes `format`; None for what bakeoff writes itself"""


class Converter(Record, frozen=True):
    """A script that writes a model in another form, in an environment of its own, as its engine.toml declares it.

    It runs as ``[*command, script, source, target]``. It ends with code 0 and `target` written, or else with the reason
    as the last line on stderr.
    """

    script: Path
    """absolute path"""
    environment: EnvironmentSpec
    reads: ModelForm
    """the form of `source`"""


class Condition(Record, frozen=True):
    """What a machine must have; empty: anything will do."""

    isa: str = ""
    """an instruction set, as `bakeoff.machine.cpu` names them: "avx512_bf16" """
    vendor: str = ""
    """the processor's maker, as it names itself: "AuthenticAMD" """
    not_vendor: str = ""
    cpus: int = 1
    """at least so many that this process may use"""
    hybrid: bool = False
    """cores of more than one kind"""
    smt: bool = False
    """cores that run several threads at once"""
    platform: str = ""
    """as `sys.platform` names it: "linux" """
    library: str = ""
    """a shared library that the loader finds: "libjemalloc.so.2" """
    since: str = ""
    """the first release of the engine's own package that has it: "1.23" """


class KnobFields(Record, frozen=True):
    """A knob's fields that its engine.toml gives as they are."""

    values: tuple[Scalar, ...]
    default: Scalar
    """what happens when nothing is asked for; one of `values`"""
    help: str
    applies: Literal["load", "process"] = "load"
    """"process": once in a process, so that another value needs another"""
    env: Mapping[str, Mapping[str, str]] = {}
    """environment variables of the workers by value, as a contender's name writes that: {"false": {"X": "0"}}"""
    changes_answer: bool = False
    """whether answers may differ by more than another order of summation makes them"""
    needs: Mapping[str, Scalar] = {}
    """values of other knobs, without which this one says nothing"""
    fixes_batch: tuple[Scalar, ...] = ()
    """values with which an engine that `loads_once` loads for each batch size"""


class Knob(KnobFields, frozen=True, kw_only=True):
    """One setting of an engine, with the values that it may have."""

    when: Condition = Condition()
    """of the knob as a whole"""
    only: Mapping[str, Condition] = {}
    """of single values, as a contender's name writes them"""


class EngineFields(Record, frozen=True):
    """An engine's fields that its engine.toml gives as they are."""

    title: str
    release: Literal["today", "2019"]
    league: Literal["fp32", "fp16", "bf16", "int8"]
    options: Mapping[str, Any] = {}
    """handed to the adapter inside `settings`"""
    env: Mapping[str, str] = {}
    """environment variables of its workers, set before anything is imported"""
    groups: tuple[str, ...] = ()
    """besides its framework and release: "study" marks the default race"""
    note: str = ""
    hidden: bool = False
    """no contender: in no list, group or count"""
    takes: tuple[str, ...] = ()
    """formats of users' own files that it runs as they are: "pt2" """
    loads_once: bool = False
    """what it loads serves all batch sizes, as fast as if it were loaded for each"""
    spins: bool = False
    """its threads spin while they wait, which looks like work: they are counted without that, too"""


class EngineSpec(EngineFields, frozen=True, kw_only=True):
    """A framework release with an adapter, as its engine.toml declares it."""

    name: str
    framework: str
    """the folder's name"""
    adapter: Path
    """absolute path of the adapter file"""
    environment: EnvironmentSpec
    model: ModelForm
    requirement: str = ""
    """the one of the environment's requirements that is this engine's framework: "torch==2.13.0" """
    recipe: Path | None = None
    """absolute path of the script that shows how to use it, see `bakeoff.engines.recipe`; None where there is none"""
    uses: tuple[Path, ...] = ()
    """absolute paths of other engine folders whose files it runs"""
    knobs: Mapping[str, Knob] = {}
    """by name; every engine has `threads` besides"""
    like: str = ""
    """the engine that it is, with some of its knobs at other values; empty: itself"""
    settings: Mapping[str, Scalar] = {}
    """those values, which are this one's defaults"""

    @property
    def usual(self) -> dict[str, Any]:
        """What its adapter gets where nothing is asked for: the options, and the default of each knob."""
        return {**self.options, **{name: knob.default for name, knob in self.knobs.items()}}

    @property
    def environments(self) -> tuple[EnvironmentSpec, ...]:
        """Its own, and that of the converter of its models."""
        converter = self.model.converter
        return (self.environment, converter.environment) if converter else (self.environment,)


class Installed(Record, frozen=True):
    """An environment that stands ready. A worker starts as ``[*command, worker.py, adapter.py]`` with `env` added."""

    name: str
    digest: str
    """of the lock: what the environment is keyed by"""
    path: Path
    command: tuple[str, ...]
    env: Mapping[str, str] = {}
    size_mb: float = 0.0
