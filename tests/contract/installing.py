"""The environments of the engines under test."""

from collections.abc import Sequence

import pytest

from bakeoff import environments
from bakeoff.environments import kinds
from bakeoff.records import EnvironmentSpec, Installed


class Talk:
    """Prints how installations go, for pytest to show should the test fail."""

    def started(self, spec: EnvironmentSpec) -> None:
        print(f"installing {spec.name}")  # noqa: T201

    def note(self, text: str) -> None:
        print(text)  # noqa: T201

    def finished(self, installed: Installed, seconds: float) -> None:
        print(f"{installed.name} stands after {seconds:.0f} s")  # noqa: T201

    def failed(self, name: str, reason: str) -> None:
        print(f"{name}: {reason}")  # noqa: T201


def standing_or_skipped(specs: Sequence[EnvironmentSpec]) -> dict[str, Installed]:
    """Each environment by name, installed. What this machine lacks is a skip, an installation that fails a failure."""
    lacking = {spec.name: kinds.of(spec).missing(spec) for spec in specs if not environments.find(spec)}
    standing = {}
    for name, installed in environments.install(specs, Talk()).items():
        if isinstance(installed, Installed):
            standing[name] = installed
        elif lacking.get(name):
            pytest.skip(f"{name}: {installed}")
        else:
            pytest.fail(f"{name} cannot be installed: {installed}")
    return standing
