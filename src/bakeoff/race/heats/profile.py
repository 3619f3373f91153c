"""Profile trials: one long trial of each case, for percentiles and for what only time shows.

They come after the rounds, out of a share of the budget, and one worker is alive at a time: nothing is compared here.
A worker profiles its batch sizes one after another.
"""

import functools
from collections.abc import Callable, Generator, Sequence

import msgspec

from bakeoff.judge.case.profile import expected_s, long_enough
from bakeoff.judge.results import Results
from bakeoff.race.heats.attempt import Attempt
from bakeoff.race.heats.context import HeatContext
from bakeoff.race.heats.heat import attempt_to
from bakeoff.race.heats.worker import HeatWorker
from bakeoff.race.ready.runnable import Runnable
from bakeoff.records import Case, Outcome, Plan, Status, Summary, Trial

SHARE = 0.05
"""of the budget, at most, and once there are some rounds: a verdict is worth more than a percentile"""
FEWEST_ROUNDS = 5
"""before profiles are owed anything"""
START_S = 2.0
"""what a worker is taken to need besides loading: starting, importing, checking, warming up"""


def reserve_s(plan: Plan, round_: int) -> float:
    """What rounds from `round_` on must leave of the budget for profiles, in seconds."""
    return SHARE * plan.budget_s if plan.profile and round_ > FEWEST_ROUNDS else 0.0


def in_turn(results: Results) -> list[list[Case]]:
    """Which cases to profile, those of one worker together: those that may be the best first, then the rest.

    Left out are rows without a speed and cases that have their profile.
    """
    done = {trial.case for trial in results.trials if trial.profile}
    beaten = {
        (verdict.model, verdict.batch_size, standing.contender)
        for verdict in results.verdicts
        for standing in verdict.standings
        if standing.outcome is Outcome.SLOWER
    }
    groups: dict[tuple[bool, str, str], list[Case]] = {}
    for row in results.rows:
        case = row.case
        if row.status is Status.OK and case not in done:
            is_beaten = (case.model, case.batch_size, case.contender.name) in beaten
            groups.setdefault((is_beaten, case.model, case.contender.name), []).append(case)
    return [groups[key] for key in sorted(groups, key=lambda key: key[0])]


def seconds_of(row: Summary) -> float:
    """How long a row's profile will probably take."""
    mean = row.latency_ms.get("mean") or 0.0
    return START_S + (row.load_s or 0.0) + expected_s(mean / 1e3)


def run_profiles(
    context: HeatContext, runnable: Runnable, cases: Sequence[Case], fits: Callable[[Case], bool]
) -> Generator[Trial, None, None]:
    """The profile trials of one worker's `cases`, as they come; a case that no longer `fits` the time gets none."""
    worker = HeatWorker(runnable, context)
    try:
        for case in cases:
            if not fits(case):
                continue
            context.say(f"batch {case.batch_size}: profiling {case.contender.name}")
            attempt = Attempt(worker, case.batch_size)
            attempt.error = attempt_to(worker, functools.partial(run_long, attempt))
            yield msgspec.structs.replace(attempt.trial(), profile=True)
        worker.close()
    finally:
        worker.abandon()


def run_long(attempt: Attempt) -> None:
    """Get ready, then burst after burst, until the trial is long enough; memory is read before and after each."""
    attempt.get_ready()
    attempt.read_memory()
    host = attempt.worker.context.host
    begin, calls = host.monotonic(), 0
    while not long_enough(calls, host.monotonic() - begin):
        attempt.burst()
        attempt.read_memory()
        calls += len(attempt.bursts[-1].latencies)
