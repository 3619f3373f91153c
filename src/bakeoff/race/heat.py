"""A heat: the workers of all engines for one model, alive together, taking turns in short bursts.

One worker runs at a time, loading and warming included; the idle ones are suspended, so that no spinning thread
pool of a rival steals time. Drift of the machine then hits all alike, and ratios pair by heat.
"""

import functools
import random
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from bakeoff.errors import WorkerError
from bakeoff.judge import knobs
from bakeoff.judge.disturbance import disturbed
from bakeoff.race.accuracy import count_right
from bakeoff.race.attempt import Attempt
from bakeoff.race.contender import Contender
from bakeoff.race.course import Course, Entry
from bakeoff.race.newness import check_on_new_inputs
from bakeoff.records import Case, Trial

T = TypeVar("T")


def run_heat(course: Course, entries: Sequence[Entry], wanted: set[Case]) -> Generator[list[Trial], None, None]:
    """Race `entries` over the batch sizes of `wanted` and yield the trials of each batch size as it is done.

    The order of everything follows from the plan's seed, the round and the model. A worker that dies takes only the
    case at hand with it: it is started again for the next batch size, and that case is retried alone at the end.
    Batch sizes in which others disturbed any trial are raced once more after all have had their turn, if there is time.
    """
    rng = random.Random(f"{course.plan.seed}/{course.round}/{course.model.name}")  # noqa: S311 - an order, no secret
    contenders = [Contender(entry, course) for entry in entries]
    casualties: list[Attempt] = []
    try:
        for contender in shuffled(contenders, rng):
            course.say(f"starting {contender.name}")
            attempt_to(contender.start)
        spoilt: list[list[Attempt]] = []
        for batch_size in shuffled(sorted({case.batch_size for case in wanted}), rng):
            if course.time_is_up():
                break
            field = [Attempt(c, batch_size) for c in contenders if c.case(batch_size) in wanted]
            trials = yield from raced(course, field, casualties, rng)
            if any(map(disturbed, trials)):
                spoilt.append(field)
        else:  # all have had their turn
            for field in spoilt:
                if course.time_is_up() or not course.repeats_help():
                    break
                with once(course):
                    yield from raced(course, anew(field), casualties, rng)
        for contender in contenders:
            contender.close()
        for casualty in casualties:
            yield [retry_alone(course, casualty, rng)]
    finally:
        for contender in contenders:
            contender.abandon()


def raced(
    course: Course, field: Sequence[Attempt], casualties: list[Attempt], rng: random.Random
) -> Generator[list[Trial], None, list[Trial]]:
    """Race one batch size; yield and return its trials, but for those of `casualties`, which grow by who died."""
    race_one_batch_size(course, field, rng)
    dead = [attempt for attempt in field if attempt.killed_its_worker]
    casualties += dead
    trials = [attempt.trial() for attempt in field if attempt not in dead]
    yield trials
    return trials


def anew(field: Sequence[Attempt]) -> list[Attempt]:
    """The attempts of a disturbed batch size once more, whole, so that they pair: all but those that failed."""
    return [Attempt(a.contender, a.case.batch_size, repeat=True) for a in field if a.alive]


def race_one_batch_size(course: Course, field: Sequence[Attempt], rng: random.Random) -> None:
    """Get all ready, then let them take turns; whoever fails is out of it and keeps its reason."""
    batch_size = field[0].case.batch_size
    for attempt in shuffled(field, rng):
        course.say(f"batch {batch_size}: loading and checking {attempt.case.engine}")
        attempt.error = attempt_to(attempt.get_ready)
    turns = course.bursts_at(batch_size)
    for turn in range(turns):
        for attempt in shuffled([a for a in field if a.alive], rng):
            course.say(f"batch {batch_size}: burst {turn + 1} of {turns}, {attempt.case.engine}")
            attempt.error = attempt_to(functools.partial(attempt.burst, rng))
    if course.round == 1:
        with once(course):
            look_closer(course, [a for a in field if a.alive and a.contender.spin and not a.repeat], rng)


def look_closer(course: Course, field: Sequence[Attempt], rng: random.Random) -> None:
    """Once for each case, after its bursts: does the clock see the work? And for each engine: which threads do it, and
    how many labelled pictures does it get right?
    """
    smallest = min(course.plan.sizes(course.model.name))
    first = course.model.name == course.plan.models[0]
    for attempt in field:
        course.say(f"batch {attempt.case.batch_size}: checking {attempt.case.engine} on new inputs")
        attempt.error = attempt_to(functools.partial(check_on_new_inputs, attempt))
        if attempt.alive and attempt.material.labelled:
            course.say(f"batch {attempt.case.batch_size}: {attempt.case.engine} classifies labelled pictures")
            attempt.error = attempt_to(functools.partial(count_right, attempt))
        spins = attempt.contender.entry.engine.spins and course.plan.threads > 1 and not course.plan.quick
        if attempt.alive and spins and first and attempt.case.batch_size == smallest:
            course.say(f"batch {smallest}: counting the busy threads of {attempt.case.engine} without spinning")
            attempt.busy_without_spinning = count_without_spinning(course, attempt, rng)


def count_without_spinning(course: Course, attempt: Attempt, rng: random.Random) -> float | None:
    """Threads busy with the same work in a process of its own whose idle threads sleep; None if it does not work so.

    At the smallest batch size, where there is the least to share out and so the most to spin for, of the first model.
    """
    contender = Contender(attempt.contender.entry, course, spin=False)
    again = Attempt(contender, attempt.case.batch_size)
    try:
        race_one_batch_size(course, [again], rng)
    finally:
        contender.abandon()
    measurement = again.trial().measurement
    return knobs.busy_threads(measurement) if measurement else None


def retry_alone(course: Course, casualty: Attempt, rng: random.Random) -> Trial:
    """Try a case that killed its worker once more, in a fresh process with nothing else alive."""
    course.say(f"batch {casualty.case.batch_size}: retrying {casualty.case.engine} alone")
    contender = Contender(casualty.contender.entry, course)
    again = Attempt(contender, casualty.case.batch_size, repeat=casualty.repeat)
    try:
        race_one_batch_size(course, [again], rng)
        return again.trial()
    finally:
        contender.abandon()


@contextmanager
def once(course: Course) -> Iterator[None]:
    """What happens in the block costs this heat time, and no later one."""
    begin = time.monotonic()
    try:
        yield
    finally:
        course.happens_once(time.monotonic() - begin)


def attempt_to(step: Callable[[], None]) -> WorkerError | None:
    """Take a step; what the worker did wrong is returned, not raised, since the others go on."""
    try:
        step()
    except WorkerError as error:
        return error
    return None


def shuffled(things: Sequence[T], rng: random.Random) -> list[T]:
    """A new list in random order."""
    return rng.sample(list(things), len(things))
