"""Who watches while a race is made ready and while it runs."""

from contextlib import AbstractContextManager
from typing import Protocol

from bakeoff import environments


class Observer(Protocol):
    """Receives what a race does; called only while no worker runs."""

    def installing(self) -> AbstractContextManager[environments.Report]:
        """Receives the progress of installations, for the block."""

    def say(self, what: str) -> None:
        """What happens next."""

    def note(self, what: str) -> None:
        """A line worth keeping."""
