"""Whether the clock saw the work: a latency counts only if all of an inference lies in it.

An engine may be fast by doing the work elsewhere: before (in `prepare`), after (in `outputs`, where one that works
asynchronously waits), or once and for all (answering from memory what it was asked before). Each shows in time spent
outside the latencies, or when inputs are new.
"""

from collections.abc import Sequence

from bakeoff.records import Record

SHARE = 0.5
"""of a latency: so much beside it is work, and not bookkeeping"""
NEW_TO_KNOWN = 2.0
"""how many times as long as a known input a new one may take"""
GRACE_S = 0.5e-3
"""for what is cold: caches, sleeping threads, first touches of memory"""
COPYING = 2e8
"""bytes per second below which a change of layout is none: a strided copy by numpy reaches several times that"""


class Evidence(Record, frozen=True):
    """Times around single inferences on inputs that the engine had never seen, in seconds, and their sizes in bytes."""

    prepare: Sequence[float]
    """`Engine.prepare` of one input set"""
    new: Sequence[float]
    """`Engine.run` on it"""
    fetch: Sequence[float]
    """`Engine.outputs` after it"""
    known: float
    """`Engine.run` on one of them once more"""
    latency: float
    """what the bursts say"""
    input_bytes: int
    output_bytes: int


def work_outside(seen: Evidence) -> str:
    """Where work is done that the latency does not hold, or nothing.

    The least of several times counts, since a disturbance only ever makes them longer.
    """
    known = max(seen.known, seen.latency)
    if min(seen.fetch) > SHARE * seen.latency + GRACE_S + seen.output_bytes / COPYING:
        return f"its outputs come {_ms(min(seen.fetch))} after an inference that is said to take {_ms(seen.latency)}"
    if min(seen.prepare) > SHARE * seen.latency + GRACE_S + seen.input_bytes / COPYING:
        return f"preparing an input takes {_ms(min(seen.prepare))}, the inference then {_ms(seen.latency)}"
    if min(seen.new) > NEW_TO_KNOWN * known + GRACE_S:
        return f"a new input takes {_ms(min(seen.new))}, one that it has seen before {_ms(known)}"
    return ""


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.2g} ms" if seconds < 1 else f"{seconds:.2g} s"
