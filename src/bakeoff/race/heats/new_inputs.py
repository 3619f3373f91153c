"""After timing: is an engine's answer to inputs that it has never seen as right and as fast as its bursts say?"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from bakeoff.errors import UntimedWorkError, WorkerError
from bakeoff.judge.case import clock
from bakeoff.race.heats.attempt import Attempt
from bakeoff.race.ready.runnable import InputSets
from bakeoff.worker.replies import Burst
from bakeoff.worker.session import WorkerSession

TRIES = 12
"""Whoever does not work outside the clock shows it in one of so many, however others disturb the machine: they only
ever make a call longer."""


@dataclass
class Seen:
    """What was seen of new inputs so far, in seconds; see `clock.Evidence`."""

    prepare: list[float]
    new: list[float]
    fetch: list[float]
    known: list[float]


def check_on_new_inputs(attempt: Attempt) -> None:
    """Raises `WrongOutputsError` or `UntimedWorkError`; does nothing where no inputs were kept back.

    Each input set is prepared and run alone, by the same request as a burst, so that nothing but its newness differs.
    """
    fresh = attempt.inputs.fresh
    if fresh is None:
        return
    seen = Seen([], [], [burst.outputs_seconds for burst in attempt.bursts], [])
    with attempt.worker.awake() as session:
        for paths, expected in zip(fresh.paths, fresh.expected, strict=True):
            attempt.check(run_new(session, attempt, paths, seen), expected, " (on inputs new to it)")
        while fault := clock.work_outside(evidence(attempt, fresh, seen)):
            if len(seen.new) == TRIES:
                raise UntimedWorkError(f"it works where the clock does not run: {fault}")
            run_new(session, attempt, unseen(attempt, fresh.paths[0], len(seen.new)), seen)
            run_known(session, attempt, seen)


def run_new(session: WorkerSession, attempt: Attempt, paths: Sequence[str], seen: Seen) -> Burst:
    """Prepare one input set alone and run it once; the worker's reply."""
    seen.prepare.append(session.prepare([paths]).seconds)
    reply = session.measure([0], [], attempt.worker.scratch)
    seen.new += reply.latencies
    seen.fetch.append(reply.outputs_seconds)
    return reply


def run_known(session: WorkerSession, attempt: Attempt, seen: Seen) -> None:
    """Run the input set that was new just now."""
    seen.known += session.measure([0], [], attempt.worker.scratch).latencies


def unseen(attempt: Attempt, paths: Sequence[str], places: int) -> list[str]:
    """An input set with its values moved on by some places: valid still, and new to any memory of answers."""
    moved = [str(attempt.worker.scratch / f"unseen-{i}.npy") for i in range(len(paths))]
    try:
        for path, copy in zip(paths, moved, strict=True):
            np.save(copy, np.roll(np.load(path, allow_pickle=False), places), allow_pickle=False)
    except OSError as error:
        raise WorkerError(f"no room for its inputs: {error}") from error
    return moved


def evidence(attempt: Attempt, fresh: InputSets, seen: Seen) -> clock.Evidence:
    """What the clock's judge needs to know."""
    inputs, batch_size = attempt.worker.context.model.inputs, attempt.case.batch_size
    return clock.Evidence(
        prepare=seen.prepare,
        new=seen.new,
        fetch=seen.fetch,
        known=median(seen.known) if seen.known else 0.0,
        latency=median(latency for burst in attempt.bursts for latency in burst.latencies),
        input_bytes=sum(math.prod(spec.at(batch_size)) * np.dtype(spec.dtype).itemsize for spec in inputs),
        output_bytes=sum(array.nbytes for array in fresh.expected[0]),
    )
