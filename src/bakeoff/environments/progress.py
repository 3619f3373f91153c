"""The interface through which an installation reports how it goes."""

from typing import Protocol

from bakeoff.records import EnvironmentSpec, Installed


class Report(Protocol):
    """Receives the progress of installations. Calls come from several threads."""

    def started(self, spec: EnvironmentSpec) -> None:
        """`spec` is being built; environments that already stand are never announced."""

    def note(self, text: str) -> None:
        """One line that the user should see, and that stops nothing."""

    def finished(self, installed: Installed, seconds: float) -> None:
        """It stands, and took `seconds` to build."""

    def failed(self, name: str, reason: str) -> None:
        """It cannot be had: one line."""
