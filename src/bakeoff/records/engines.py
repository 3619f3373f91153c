"""Engines, their environments, and the form in which they take a model."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bakeoff.records.base import Record

OWN = "own-"
"""what the form of a user's own file is called before its format: "own-pt2" """


class EnvironmentSpec(Record, frozen=True):
    """A locked, isolated installation, as its engine.toml declares it."""

    name: str
    kind: str
    """one of `bakeoff.environments.kinds`: "uv" """
    lock: Path
    """absolute path of the lock"""
    python: str | None = None
    """"3.11"; None for kinds that bring their own"""
    requirements: tuple[str, ...] = ()
    """what the lock was compiled from; for `debian`, package names"""
    suite: str | None = None
    """`debian` only: the release whose packages are taken"""
    download_mb: int = 0
    disk_mb: int = 0


class ModelForm(Record, frozen=True):
    """The form in which an engine takes a model.

    `format` is "onnx", "plain" (see `bakeoff.models.sandboxed.plain_graph`), or what a converter of some engine
    folder writes. For an old ONNX reader, `max_ir_version` and `max_opset` say what it still reads.
    """

    format: str
    max_ir_version: int | None = None
    max_opset: int | None = None
    converter: "Converter | None" = None
    """who writes `format`; None for what bakeoff writes itself"""


class Converter(Record, frozen=True):
    """A script that writes a model in another form, in an environment of its own, as its engine.toml declares it.

    It runs as ``[*command, script, source, target]`` and ends well with `target` written, or else with the reason as
    the last line on stderr.
    """

    script: Path
    """absolute path"""
    environment: EnvironmentSpec
    reads: ModelForm
    """what `source` is"""


class EngineSpec(Record, frozen=True):
    """One contender: a framework release run in one mode."""

    name: str
    title: str
    framework: str
    """the folder's name"""
    release: str
    """"today" or "2019" """
    league: str
    adapter: Path
    """absolute path of the adapter file"""
    environment: EnvironmentSpec
    model: ModelForm
    requirement: str = ""
    """the one of the environment's requirements that is this engine's framework: "torch==2.13.0" """
    options: Mapping[str, Any] = {}
    """handed to the adapter inside `settings`"""
    env: Mapping[str, str] = {}
    """environment variables of its workers, set before anything is imported"""
    groups: tuple[str, ...] = ()
    """besides its framework and release: "study" marks the default race"""
    note: str = ""
    hidden: bool = False
    """no contender: in no list, group or count"""

    @property
    def environments(self) -> tuple[EnvironmentSpec, ...]:
        """Its own, and that of whoever converts its models."""
        converter = self.model.converter
        return (self.environment, converter.environment) if converter else (self.environment,)

    recipe: Path | None = None
    """absolute path of the script that shows how to use it, see `bakeoff.engines.recipe`; None where there is none"""
    takes: tuple[str, ...] = ()
    """formats of users' own files that it runs as they are: "pt2" """
    uses: tuple[Path, ...] = ()
    """absolute paths of other engine folders whose files it runs"""
    spins: bool = False
    """its threads spin while they wait, which looks like work: they are counted without that, too"""


class Installed(Record, frozen=True):
    """An environment that stands ready. A worker starts as ``[*command, worker.py, adapter.py]`` with `env` added."""

    name: str
    digest: str
    """of the lock: what the environment is keyed by"""
    path: Path
    command: tuple[str, ...]
    env: Mapping[str, str] = {}
    size_mb: float = 0.0
