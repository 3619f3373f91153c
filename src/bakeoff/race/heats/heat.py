"""A heat: the workers of all engines for one model, alive together, taking turns in short bursts.

One worker runs at a time, loading and warming included; the idle ones are suspended, so that no spinning thread
pool of a rival steals time. Drift of the machine then hits all alike, and ratios pair by heat.
"""

import functools
import math
import random
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from statistics import fmean
from typing import TypeVar

from bakeoff.errors import LostFilesError, UnsupportedError, UntimedWorkError, WorkerError, WrongOutputsError
from bakeoff.judge.case import settings_check
from bakeoff.judge.case.disturbance import disturbed
from bakeoff.judge.table import effort
from bakeoff.race.heats.accuracy import count_right
from bakeoff.race.heats.attempt import CALLS, Attempt
from bakeoff.race.heats.context import HeatContext
from bakeoff.race.heats.new_inputs import check_on_new_inputs
from bakeoff.race.heats.worker import HeatWorker
from bakeoff.race.ready.runnable import Runnable
from bakeoff.records import CANARY, Case, Trial

T = TypeVar("T")
FAR = 1.3
"""times the best latency, beyond which a turn may be a single call: what lies so far behind needs no fine figure ..."""
HOPELESS = 2.5
"""... and beyond which there is but one turn, unless noise is so great that it may mean nothing"""


def run_heat(
    context: HeatContext, runnables: Sequence[Runnable], wanted: set[Case]
) -> Generator[list[Trial], None, None]:
    """Race `runnables` over the batch sizes of `wanted` and yield the trials of each batch size as it is done.

    The order of everything follows from the plan's seed, the round and the model. A worker that dies takes only the
    case at hand with it: it is started again for the next batch size, and that case is retried alone at the end.
    Batch sizes in which others disturbed any trial are raced once more after all have had their turn, if there is time.
    """
    rng = random.Random(f"{context.plan.seed}/{context.round}/{context.model.name}")  # noqa: S311 - an order, no secret
    workers = [HeatWorker(runnable, context) for runnable in runnables]
    casualties: list[Attempt] = []
    begin = context.host.monotonic()
    try:
        for worker in shuffled(workers, rng):
            context.say(f"starting {worker.name}")
            attempt_to(worker, worker.start)
        spoilt: list[list[Attempt]] = []
        sizes = shuffled(sorted({case.batch_size for case in wanted}), rng)
        for position, batch_size in enumerate(sizes):
            if context.time_is_up():
                break
            now = context.host.monotonic()
            until = now + (begin + context.aim_s - now) / (len(sizes) - position)
            field = [Attempt(c, batch_size) for c in workers if c.case(batch_size) in wanted]
            trials = yield from raced(context, field, casualties, rng, until)
            if any(map(disturbed, trials)):
                spoilt.append(field)
        else:  # all have had their turn
            for field in spoilt:
                if context.time_is_up() or not context.repeats_help():
                    break
                with once(context):
                    yield from raced(context, anew(field), casualties, rng)
        for worker in workers:
            worker.close()
        for casualty in casualties:
            yield [retry_alone(context, casualty, rng)]
    finally:
        for worker in workers:
            worker.abandon()


def raced(
    context: HeatContext, field: Sequence[Attempt], casualties: list[Attempt], rng: random.Random, until: float = 0.0
) -> Generator[list[Trial], None, list[Trial]]:
    """Race one batch size; yield and return its trials, but for those of `casualties`, which grow by who died."""
    race_one_batch_size(context, field, rng, until)
    look_closer(context, field, rng)
    dead = [attempt for attempt in field if attempt.killed_its_worker]
    casualties += dead
    trials = [attempt.trial() for attempt in field if attempt not in dead]
    yield trials
    return trials


def anew(field: Sequence[Attempt]) -> list[Attempt]:
    """The attempts of a disturbed batch size once more, whole, so that they pair: all but those that failed."""
    return [Attempt(a.worker, a.case.batch_size, repeat=True, turns=len(a.bursts)) for a in field if a.alive]


def race_one_batch_size(context: HeatContext, field: Sequence[Attempt], rng: random.Random, until: float = 0.0) -> None:
    """Get all ready, then let them take turns; whoever fails is out of it and keeps its reason.

    Turns beyond the plan's least number go on while they pay, until the clock shows `until` at most.
    """
    batch_size = field[0].case.batch_size
    for attempt in shuffled(field, rng):
        context.say(f"batch {batch_size}: loading and checking {attempt.case.contender.name}")
        attempt.error = attempt_to(attempt.worker, attempt.get_ready)
    take_turns(context, [attempt for attempt in field if attempt.alive], rng, until)


def take_turns(context: HeatContext, field: Sequence[Attempt], rng: random.Random, until: float) -> None:
    """Let `field` take turns: first as many as their distance from the best asks for, then while they pay."""
    best = best_latency(field)
    for attempt in field:
        distance = attempt.warm_latency / best
        attempt.fewest_calls = CALLS if distance <= FAR else 1
        least = 1 if distance > HOPELESS else context.plan.bursts + (distance <= FAR)
        attempt.fewest_turns = max(least, attempt.fewest_turns)
    turning = list(field)
    rng = random.Random(rng.random())  # noqa: S311 - an order of its own: how many turns there are changes no other
    for turn in range(1, effort.MOST + 1):
        for attempt in shuffled(turning, rng):
            context.say(f"batch {attempt.case.batch_size}: turn {turn}, {attempt.case.contender.name}")
            attempt.error = attempt_to(attempt.worker, attempt.burst)
        turning = [attempt for attempt in turning if attempt.alive]
        worth = worth_a_turn(context, field, turning, turn) if context.host.monotonic() < until else ()
        turning = [attempt for attempt in turning if turn < attempt.fewest_turns or attempt in worth]
        if not turning:
            break


def best_latency(field: Sequence[Attempt]) -> float:
    """The least of all contenders' latencies, in seconds, as their warm-ups tell; of the canary's if it is alone."""
    contenders = [attempt for attempt in field if attempt.case.contender.name != CANARY]
    return min((attempt.warm_latency for attempt in contenders or field), default=1.0)


def worth_a_turn(
    context: HeatContext, field: Sequence[Attempt], turning: Sequence[Attempt], turn: int
) -> Sequence[Attempt]:
    """Those of `turning` for which one more pays: see `bakeoff.judge.table.effort`. The canary has had enough."""
    turning = [attempt for attempt in turning if attempt.case.contender.name != CANARY]
    if not turning:
        return ()
    before = context.turns_before.get(turning[0].case.batch_size, ())
    of_turns = effort.turn_variance([*before, {attempt.case.contender.name: attempt.turns for attempt in turning}])
    if math.isnan(of_turns):
        return [attempt for attempt in turning if attempt.warm_latency <= HOPELESS * best_latency(field)]
    warm = {a.case.contender.name: a.warm_latency for a in field if a.case.contender.name != CANARY}
    behind = effort.behind_best(warm, before, of_turns, context.of_processes)
    left = [
        attempt
        for attempt in turning
        if not effort.is_told(behind[attempt.case.contender.name], turn, of_turns, context.of_processes)
    ]
    costs = effort.Costs(
        process_s=sum(attempt.ready_s for attempt in left),
        turn_s=sum(
            fmean(attempt.turns) * (len(attempt.bursts[0].latencies) + effort.untimed_calls(attempt.warm_latency))
            for attempt in left
        ),
    )
    return left if left and turn < effort.turns_worth(costs, of_turns, context.of_processes) else ()


def look_closer(context: HeatContext, field: Sequence[Attempt], rng: random.Random) -> None:
    """In the first round, once for each case after its bursts: does the clock see the work? And once for each
    contender: which threads do it, and how many labelled pictures does it get right?
    """
    if context.round != 1:
        return
    with once(context):
        for attempt in [a for a in field if a.alive and not a.repeat]:
            look_closer_at(context, attempt, rng)


def look_closer_at(context: HeatContext, attempt: Attempt, rng: random.Random) -> None:
    """As `look_closer`, at one case."""
    name, size = attempt.case.contender.name, attempt.case.batch_size
    smallest = size == min(context.plan.sizes(context.model.name))
    first = context.model.name == context.plan.models[0]
    context.say(f"batch {size}: checking {name} on new inputs")
    attempt.error = attempt_to(attempt.worker, functools.partial(check_on_new_inputs, attempt))
    if attempt.alive and attempt.inputs.labelled:
        context.say(f"batch {size}: {name} classifies labelled pictures")
        attempt.error = attempt_to(attempt.worker, functools.partial(count_right, attempt))
    several = (attempt.case.contender.threads or 1) > 1
    spins = attempt.worker.runnable.engine.spins and several and not context.plan.quick
    if attempt.alive and spins and first and smallest:
        context.say(f"batch {size}: counting the busy threads of {name} without spinning")
        attempt.busy_without_spinning = count_without_spinning(context, attempt, rng)


def count_without_spinning(context: HeatContext, attempt: Attempt, rng: random.Random) -> float | None:
    """Threads busy with the same work in a process of its own whose idle threads sleep; None if it does not work so.

    At the smallest batch size, where there is the least to share out and so the most to spin for, of the first model.
    """
    worker = HeatWorker(attempt.worker.runnable.without_spinning(), context, "-without-spinning")
    again = Attempt(worker, attempt.case.batch_size)
    try:
        race_one_batch_size(context, [again], rng)
    finally:
        worker.abandon()
    measurement = again.trial().measurement
    return settings_check.busy_threads(measurement) if measurement else None


def retry_alone(context: HeatContext, casualty: Attempt, rng: random.Random) -> Trial:
    """Try a case that killed its worker once more, in a fresh process with nothing else alive."""
    context.say(f"batch {casualty.case.batch_size}: retrying {casualty.case.contender.name} alone")
    worker = HeatWorker(casualty.worker.runnable, context)
    again = Attempt(worker, casualty.case.batch_size, repeat=casualty.repeat)
    try:
        race_one_batch_size(context, [again], rng)
        look_closer(context, [again], rng)
        return again.trial()
    finally:
        worker.abandon()


@contextmanager
def once(context: HeatContext) -> Iterator[None]:
    """What happens in the block costs this heat time, and no later one."""
    begin = context.host.monotonic()
    try:
        yield
    finally:
        context.happens_once(context.host.monotonic() - begin)


def attempt_to(worker: HeatWorker, step: Callable[[], None]) -> WorkerError | None:
    """Take a step with `worker`; what it did wrong is returned, not raised, since the others go on.

    Raises `LostFilesError` where it failed for want of our own files: so will the others.
    """
    try:
        step()
    except (UnsupportedError, WrongOutputsError, UntimedWorkError) as error:  # what it answered, not what it lacked
        return error
    except WorkerError as error:
        if worker.lost_files():
            worker.abandon()  # which gives back what it took of the disk itself
            if lost := worker.lost_files():
                raise LostFilesError(lost) from error
        return error
    return None


def shuffled(things: Sequence[T], rng: random.Random) -> list[T]:
    """A new list in random order."""
    return rng.sample(list(things), len(things))
