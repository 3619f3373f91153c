"""The signals that end a command as Ctrl-C does: at the next line, with what it has so far kept."""

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType


@contextmanager
def handled_by(handler: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    """SIGINT, SIGTERM and SIGHUP go to `handler` through the block, unless they are ignored, as nohup has it.

    Only the main thread may say so.
    """
    with ExitStack() as stack:
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) not in (signal.SIG_IGN, None):
                stack.callback(signal.signal, number, signal.signal(number, handler))
        yield
