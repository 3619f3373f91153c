"""The kinds of environments that there are. Another one is a class in a file of its own, and its name here."""

from bakeoff.environments.debian import Debian
from bakeoff.environments.kind import Kind
from bakeoff.environments.uv import Uv
from bakeoff.errors import EngineFolderError
from bakeoff.records import EnvironmentSpec

KINDS: dict[str, Kind] = {kind.name: kind for kind in (Uv(), Debian())}


def of(spec: EnvironmentSpec) -> Kind:
    """The kind of `spec`. Raises `EngineFolderError` if there is none of that name."""
    try:
        return KINDS[spec.kind]
    except KeyError:
        known = f"there are: {', '.join(KINDS)}"
        raise EngineFolderError(f"environments.{spec.name}.kind: there is none called {spec.kind!r}", known) from None
