"""What a worker or a driver answers to each request, as types: the docstrings of worker.py and scenarios.py in a form
that is checked.

Times are in seconds, finite and never negative.
"""

from pathlib import Path
from typing import Annotated, Generic, TypeVar

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from bakeoff.errors import AdapterError, UnsupportedError, WrongReplyError

T = TypeVar("T")

Seconds = Annotated[float, Meta(ge=0)]
Latency = Annotated[float, Meta(gt=0)]
Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Integer = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
"""what every database and file format takes"""
Text = Annotated[str, Meta(max_length=10_000)]
"""without a `pattern`, with which Python may crash when it ends (msgspec's issue 717)"""

Scalar = None | bool | Integer | float | Text
Flat = Scalar | list[Scalar] | dict[str, Scalar]
Plain = Scalar | list[Flat] | dict[str, Flat]
"""the value of a setting that took effect: it goes into the store and every report"""


LONGEST_REASON = 2000
"""characters of an exception's message that a row shows; the log has the rest"""
TIMES_TOO_LARGE, ROOM = 16, 1 << 26
"""outputs so many times as large as the right ones, and so many bytes, are not even read"""


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """A reply's content, or what lies in it. What it tells beyond the fields is left out."""


class Framework(Reply, frozen=True):
    """How the framework names itself: what `Engine.describe` returned."""

    version: Text

    def __post_init__(self) -> None:
        """Raises `ValueError` for a version that is no column of PostgreSQL's."""
        if "\0" in self.version:
            raise ValueError("a NUL in `version`")


class Hello(Reply, frozen=True):
    """Of ``hello``."""

    python: Text
    framework: Framework
    import_seconds: Seconds


class Loaded(Reply, frozen=True):
    """Of ``load``."""

    effective: dict[Text, Plain]
    """the settings that took effect: what `Engine.load` returned"""
    seconds: Seconds


class Took(Reply, frozen=True):
    """Of ``prepare`` and ``query``: how long the adapter's part took."""

    seconds: Seconds


class Outputs(Reply, frozen=True):
    """Of ``outputs``."""

    seconds: Seconds
    """of the run; of a burst, from its first timed call to the end of its last"""
    paths: list[str]
    outputs_seconds: Seconds
    inputs_changed: list[tuple[Count, Count]]
    """[set, input] of each array that is no longer what it was"""

    def arrays(self, expected_bytes: int = 0) -> list[NDArray[np.generic]]:
        """The outputs, in the model's own order; `expected_bytes` are the right ones' size, roughly.

        Raises `WrongReplyError` where a file holds no array, or all together would fill the memory here.
        """
        try:
            size = sum(Path(path).stat().st_size for path in self.paths)
            if size > ROOM + TIMES_TOO_LARGE * expected_bytes:
                raise WrongReplyError(f"its outputs take {size} bytes, the model's {expected_bytes}")
            return [np.load(path, allow_pickle=False) for path in self.paths]
        except (OSError, ValueError, EOFError) as error:
            raise WrongReplyError(f"its outputs cannot be read: {error}") from error


class WarmUp(Reply, frozen=True):
    """Of ``warm_up``."""

    latencies: list[Latency]


class Burst(Outputs, frozen=True):
    """Of ``measure``."""

    latencies: list[Latency]
    cpu_seconds: dict[str, Seconds]
    """by thread"""
    queued_seconds: Seconds | None
    voluntary_switches: Count
    involuntary_switches: Count
    peak_rss_bytes: Count | None


class Nothing(Reply, frozen=True):
    """Of ``close``, and of a driver's ``hello``, whose content nobody needs."""


class OfEach(Reply, Generic[T], frozen=True):
    """Of a driver's ``start`` and ``each``: each instance's own reply."""

    replies: list[T]


class UnderLoad(Reply, frozen=True):
    """Of a driver's ``offline`` and ``server``: what LoadGen found."""

    rate: Latency
    """queries per second"""
    queries: Count
    latencies: list[list[Latency]]
    """instance by instance, of its answers alone"""
    last: list[Count | None]
    """the input set that each instance answered last"""
    p99_seconds: Seconds | None = None
    held: bool = True


class Failure(Reply, frozen=True):
    """An error reply: the exception's class, its message and its traceback."""

    type: str
    message: str
    traceback: str

    def as_error(self) -> UnsupportedError | AdapterError:
        """What to raise for it."""
        reason = opening(self.message)
        if self.type == "NotImplementedError":
            return UnsupportedError(reason or "the adapter gives no reason")
        return AdapterError(self.type, reason, self.traceback)


class Envelope(Reply, frozen=True):
    """A whole line: either `ok`, still to be decoded as the operation's own reply, or `error`."""

    ok: msgspec.Raw = msgspec.Raw(b"null")
    error: Failure | None = None

    def content(self, op: str, reply: type[T]) -> T:
        """The `reply` to `op`. Raises `UnsupportedError` or `AdapterError` if it is an error, and `WrongReplyError` if
        it is no `reply`.
        """
        if self.error is not None:
            raise self.error.as_error()
        try:
            return msgspec.json.decode(self.ok, type=reply)
        except (msgspec.DecodeError, RecursionError) as error:
            raise WrongReplyError(f"what it returns to `{op}` is no reply: {error}") from error


def opening(message: str) -> str:
    """The first line of an exception's message that is not blank, and what follows it while it ends with a colon."""
    first = ""
    for line in filter(None, map(str.strip, message.splitlines())):
        first = f"{first} {line}".lstrip()
        if not first.endswith(":"):
            break
    return first[:LONGEST_REASON]
