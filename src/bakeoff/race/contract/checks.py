"""What every engine promises, tried in its real environment on a tiny network: one function for each promise.

`bakeoff engines check` and the project's own tests run these. A check returns if the promise
is kept and raises `BrokenPromiseError` if not; what the worker itself raises, a `WorkerError`, breaks it as well.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np

from bakeoff.engines.recipe import compose
from bakeoff.environments import programs
from bakeoff.errors import (
    AdapterError,
    BakeoffError,
    UnsupportedError,
    WorkerDiedError,
    WorkerError,
    WorkerTimedOutError,
)
from bakeoff.judge.case.parity import compare
from bakeoff.judge.case.settings_check import settings_not_taken
from bakeoff.race.asking.contenders import knobs_here
from bakeoff.race.asking.machine import this_machine
from bakeoff.race.contract.subject import SETS, TIMEOUT_S, EngineUnderTest, WorkerUnderTest
from bakeoff.records import FRAMEWORKS_OWN, THREADS, EngineSpec, Knob, Scalar, word
from bakeoff.worker.replies import Burst

Subject = TypeVar("Subject", EngineUnderTest, WorkerUnderTest)

TOLERANCE = {"fp32": 1e-4, "fp16": 5e-3, "bf16": 5e-2, "int8": 2e-1}
"""Largest relative error, by league."""
CHANGED = 100.0
"""times that error at a knob that may change the answer"""
LARGE_BATCH = 256
ONE_CORE = 1.3
"""CPU seconds per second of an engine with one thread, and room for what its runtime does besides."""
ONE_THREAD = 1.7
"""CPU seconds of all threads over the busiest one's: some runtimes hand over between two threads that never overlap,
and two that share the work alike make 2."""
TWO_CORES = 2.3
TWO_THREADS = 1.05
"""The same of an engine with two threads that do not spin: at least so much is shared, of a large batch. One that
ignores the number makes 1; Caffe2 makes 1.10 on an Intel processor, where its MKL gives the tiny network's products to
one thread. On AMD's it makes over 1.25, as all other engines do on either."""


class BrokenPromiseError(Exception):
    """A check that failed; the message says how."""


class NotShownError(Exception):
    """A check that this engine gives no occasion for; the message says why."""


class RefusedError(Exception):
    """The engine takes no network like the tiny one: nothing can be shown of it. The message is its reason."""


@dataclass(frozen=True)
class CheckResult:
    """What came of one check."""

    promise: str
    """in words"""
    outcome: Literal["ok", "failed", "skipped"]
    reason: str = ""


def examine(subject: EngineUnderTest) -> Iterator[CheckResult]:
    """Try every promise of the engine on `subject`, one finding at a time, whatever fails before.

    A worker that died under one check is started anew for the next.
    """
    left = list(SHARED)
    while left:
        try:
            with subject.worker(threads=2) as worker:
                while left:
                    found, alive = _tried(left.pop(0), worker)
                    yield found
                    if not alive:
                        break
        except WorkerError as error:  # it does not even start: so it is for all
            yield CheckResult("it starts", "failed", str(error))
            return
    for check in ALONE:
        yield _tried(check, subject)[0]


def _tried(check: Callable[[Subject], None], subject: Subject) -> tuple[CheckResult, bool]:
    """What came of a check, and whether its worker still answers."""
    name = check.__name__.replace("_", " ")
    try:
        check(subject)
    except NotShownError as reason:
        return CheckResult(name, "skipped", str(reason)), True
    except RefusedError as reason:
        return CheckResult(name, "failed", f"it refuses the tiny network: {reason}"), True
    except (BrokenPromiseError, WorkerError, BakeoffError) as error:
        return CheckResult(name, "failed", str(error)), not isinstance(error, WorkerDiedError | WorkerTimedOutError)
    return CheckResult(name, "ok"), True


def promise(kept: object, otherwise: str) -> None:
    """Raise `BrokenPromiseError` unless `kept`."""
    if not kept:
        raise BrokenPromiseError(otherwise)


def load_or_refuse(worker: WorkerUnderTest, batch_size: int) -> Mapping[str, Any]:
    """What took effect; a refusal is `RefusedError` with its reason."""
    try:
        return worker.load(batch_size)
    except UnsupportedError as reason:
        raise RefusedError(str(reason)) from reason


# Of a worker with two threads, which each check leaves as it found it: answering.


def hello_names_the_version_of_the_framework(worker: WorkerUnderTest) -> None:
    """As text that begins with a digit."""
    version = worker.hello.framework.version
    promise(version[:1].isdigit(), f"`describe` gives the version {version!r}")


def every_load_replaces_the_one_before_and_agrees_with_the_reference(worker: WorkerUnderTest) -> None:
    """At batch sizes 1, 3 and 1 again."""
    for batch_size in (1, 3, 1):
        load_and_compare(worker, batch_size)


def what_it_loads_once_serves_all_batch_sizes(worker: WorkerUnderTest) -> None:
    """Where its engine.toml says so: loaded for one batch size, it answers at another, and at the first again."""
    if not worker.subject.engine.loads_once:
        raise NotShownError("it is loaded for each batch size")
    load_or_refuse(worker, 2)
    for batch_size in (1, 3, 2):
        compare_answers(worker, batch_size)


def the_settings_that_took_effect_are_those_asked_for(worker: WorkerUnderTest) -> None:
    """As far as `load` tells: threads, precision, provider."""
    effective = load_or_refuse(worker, 1)
    promise("threads" in effective, "`load` does not tell the number of threads, not even None")
    if effective["threads"] == 1 < worker.threads:
        raise NotShownError(f"{worker.subject.engine.name} has one thread, whatever is asked, and says so")
    if effective["threads"] is not None:
        promise(effective["threads"] == worker.threads, f"{worker.threads} threads asked, got {effective['threads']}")
    told = [name for name, knob in worker.subject.engine.knobs.items() if not knob.needs]
    others = settings_not_taken(worker.runnable.settings(1), effective, told)
    provider = worker.subject.engine.options.get("provider")
    if provider:  # which may leave some nodes to another, and then says so
        promise(effective.get("nodes", {}).get(provider), f"provider {provider} took no node: {effective}")
        others = [line for line in others if not line.startswith("provider: ")]
    promise(not others, "; ".join(others))


def each_value_of_its_knobs_takes_effect_and_the_answers_stay(worker: WorkerUnderTest) -> None:
    """Each that holds on this machine, as far as `load` tells, or must tell; of knobs that apply at `load`."""
    turned = [settings for knob, settings in turns(worker.subject.engine) if knob.applies == "load"]
    if not turned:
        raise NotShownError("it has no knob that applies at `load`")
    for settings in turned:
        a_setting_takes_effect(worker.having(settings), settings)
    load_or_refuse(worker, 1)


def running_other_sets_leaves_inputs_and_answers_as_they_were(worker: WorkerUnderTest) -> None:
    """The outputs that a burst leaves are those of its last call."""
    load_or_refuse(worker, 3)
    worker.prepare(3)
    before = [worker.outputs(k) for k in range(SETS)]
    alike = any(np.array_equal(before[0][0], other[0]) for other in before[1:])
    promise(not alike, "two input sets get the same answer")
    timed = worker.session.measure([2, 1, 0, 1], [2], worker.subject.folder)
    # The files hold the outputs of the last timed call, of set 1.
    after_the_burst = timed.arrays()
    again = [(before[1], after_the_burst), *((before[k], worker.outputs(k)) for k in range(SETS))]
    for expected, got in again:
        for a, b in zip(expected, got, strict=True):
            same = np.allclose(a, b, rtol=1e-5, atol=1e-5 * float(np.abs(a).max()))
            promise(same, "the same input set got two different answers")


def a_precision_that_it_lacks_is_refused_with_a_reason(worker: WorkerUnderTest) -> None:
    """By `NotImplementedError("reason")` out of `load`; it is asked for fp4."""
    try:
        worker.load(1, precision="fp4")
    except UnsupportedError as reason:
        promise(str(reason).strip(), "it refuses fp4 and gives no reason")
    else:
        raise BrokenPromiseError('`load` takes a network in "fp4": it must raise NotImplementedError with a reason')


# Of the engine, in workers of their own.


def each_value_of_its_process_knobs_takes_effect_and_the_answers_stay(subject: EngineUnderTest) -> None:
    """The same of knobs that apply to a process: each value in a worker of its own."""
    turned = [settings for knob, settings in turns(subject.engine) if knob.applies == "process"]
    if not turned:
        raise NotShownError("it has no knob that applies to a process")
    for settings in turned:
        with subject.worker(threads=2, settings=settings) as worker:
            a_setting_takes_effect(worker, settings)


def it_runs_on_as_many_threads_as_its_framework_takes(subject: EngineUnderTest) -> None:
    """Asked for none."""
    with subject.worker(threads=2, settings={THREADS: FRAMEWORKS_OWN}) as worker:
        load_and_compare(worker, 1)


def a_truncated_model_is_an_error_and_the_worker_lives_on(subject: EngineUnderTest) -> None:
    """Any error but a refusal will do."""
    broken = truncated(subject.model_path, subject.folder)
    with subject.worker(threads=1) as worker:
        load_or_refuse(worker, 1)
        promise(fails_to_load(worker, broken), "a model file that ends half-way is loaded without an error")
        load_or_refuse(worker, 1)
        worker.prepare(1)
        promise(worker.outputs(0), "after a truncated model it answers nothing")


def one_thread_uses_one_core_and_close_ends_the_process_well(subject: EngineUnderTest) -> None:
    """Counted over half a second of a large batch."""
    with subject.worker(threads=1) as worker:
        effective, burst = burst_of_a_large_batch(worker)
        of_each = burst.cpu_seconds
        used = sum(of_each.values())
        counted = f"{of_each}; in effect: {effective}"
        promise(used < ONE_CORE * burst.seconds, f"more than one core's time: {counted}")
        # On a busy machine two threads may get less than one core; that both did the work still shows.
        promise(used < ONE_THREAD * max(of_each.values()), f"more than one thread works: {counted}")
        code = worker.session.close()
        promise(code == 0, f"after `close` the worker ends with code {code}")


def two_threads_share_the_work(subject: EngineUnderTest) -> None:
    """... of a large batch, neither idle nor more than two."""
    with subject.worker(threads=2, spin=not subject.engine.spins) as worker:
        effective, burst = burst_of_a_large_batch(worker)
        if effective["threads"] == 1:
            raise NotShownError(f"{subject.engine.name} has one thread, whatever is asked, and says so")
        of_each = burst.cpu_seconds
        used = sum(of_each.values())
        counted = f"{of_each}; in effect: {effective}"
        promise(used < TWO_CORES * burst.seconds, f"more than two cores' time: {counted}")
        promise(used > TWO_THREADS * max(of_each.values()), f"one thread does the work: {counted}")


def its_recipe_gives_the_answers_of_the_reference(subject: EngineUnderTest) -> None:
    """Run as a user would, in its environment and without bakeoff, for three samples at once."""
    engine, model, rows = subject.engine, subject.model, 3
    if engine.recipe is None:
        raise NotShownError("it has none")
    script = compose(engine, model, str(subject.model_path), batch_size=rows, threads=2, about="a check")
    (subject.folder / "recipe.py").write_text(script, encoding="utf-8")
    (samples,) = subject.samples.files
    np.savez(subject.folder / "inputs.npz", **{model.inputs[0].name: np.load(samples)[:rows]})
    installed = subject.standing[engine.environment.name]
    try:
        programs.run(
            [*installed.command, "recipe.py", "inputs.npz", "outputs.npz"],
            env={**os.environ, **installed.env},
            cwd=subject.folder,
            log=subject.log,
            timeout_s=TIMEOUT_S,
        )
    except programs.ProgramFailedError as error:
        raise BrokenPromiseError(f"it fails: {error}") from error
    with np.load(subject.folder / "outputs.npz") as saved:
        outputs = [saved[name] for name in saved.files]
    reference = subject.samples.reference()
    parity, fault = compare(outputs, [array[:rows] for array in reference], classes=model.classes)
    promise(not fault, fault)
    off, most = parity.max_rel_error, TOLERANCE[engine.league]
    promise(off is not None and off <= most, f"off by {off}, and {most} is allowed")


def turns(engine: EngineSpec) -> Iterator[tuple[Knob, dict[str, Scalar]]]:
    """Each value of a knob that is no default and holds here, with what it needs; an engine like another has none."""
    if engine.like:
        return
    for name, (_default, *others) in knobs_here(engine, this_machine()).items():
        if name != THREADS:
            knob = engine.knobs[name]
            yield from ((knob, {**knob.needs, name: value}) for value in others)


def a_setting_takes_effect(worker: WorkerUnderTest, settings: Mapping[str, Scalar]) -> None:
    """... by what `load` returns, and the answers are right as far as the knobs leave them so."""
    said = ", ".join(f"{name}={word(value)}" for name, value in settings.items())
    try:
        effective = worker.load(3)
        others = settings_not_taken(worker.runnable.settings(3), effective, [*settings])
        others = [line for line in others if not line.startswith("provider: ")]
        promise(not others, "; ".join(others))
        free = any(worker.subject.engine.knobs[name].changes_answer for name in settings)
        compare_answers(worker, 3, CHANGED if free else 1.0)
    except (BrokenPromiseError, WorkerError) as error:
        raise BrokenPromiseError(f"{said}: {error}") from error


def load_and_compare(worker: WorkerUnderTest, batch_size: int, more: float = 1.0) -> None:
    """Load the network, and see that its answers are right; `more` times as far off as usual."""
    load_or_refuse(worker, batch_size)
    compare_answers(worker, batch_size, more)


def compare_answers(worker: WorkerUnderTest, batch_size: int, more: float = 1.0) -> None:
    """The answers to every input set in shape, dtype and value against the float64 reference."""
    subject = worker.subject
    reference = subject.samples.reference()
    for k, rows in enumerate(worker.prepare(batch_size)):
        outputs = worker.outputs(k)
        where = f"batch {batch_size}, input set {k}"
        found = [(o.shape, o.dtype.name) for o in outputs]
        expected = [(spec.at(batch_size), spec.dtype) for spec in subject.model.outputs]
        promise(found == expected, f"{where}: the outputs are {found}, not {expected}")
        parity, fault = compare(outputs, [array[rows] for array in reference], classes=subject.model.classes)
        promise(not fault, f"{where}: {fault}")
        error, most = parity.max_rel_error, more * TOLERANCE[subject.engine.league]
        promise(error is not None and error <= most, f"{where}: off by {error}, and {most} is allowed")


def fails_to_load(worker: WorkerUnderTest, path: Path) -> bool:
    """Whether `load` answers with an error, and not by dying: then nothing can be shown."""
    try:
        worker.load(1, path=path)
    except WorkerDiedError as death:
        raise NotShownError(f"{worker.subject.engine.name} does not survive a truncated model: {death}") from death
    except AdapterError:
        return True
    return False


def burst_of_a_large_batch(worker: WorkerUnderTest) -> tuple[Mapping[str, Any], Burst]:
    """What took effect, and half a second's measurement of a warm engine."""
    effective = load_or_refuse(worker, LARGE_BATCH)
    worker.prepare(LARGE_BATCH)
    worker.session.warm_up([0, 1, 2], at_least=3, at_most_seconds=1)
    (latency,) = worker.session.measure([0], [], worker.subject.folder).latencies
    calls = max(3, min(500, round(0.5 / latency)))
    return effective, worker.session.measure([k % SETS for k in range(calls)], [0], worker.subject.folder)


def truncated(model: Path, folder: Path) -> Path:
    """A copy of a model file, or of a plain graph's folder, whose files end half-way."""
    copy = folder / f"truncated{model.suffix}"
    shutil.rmtree(copy, ignore_errors=True)
    if model.is_dir():
        shutil.copytree(model, copy)
    else:
        shutil.copy(model, copy)
    for file in copy.iterdir() if copy.is_dir() else [copy]:
        content = file.read_bytes()
        file.write_bytes(content[: len(content) // 2])
    return copy


SHARED: Sequence[Callable[[WorkerUnderTest], None]] = (
    hello_names_the_version_of_the_framework,
    every_load_replaces_the_one_before_and_agrees_with_the_reference,
    what_it_loads_once_serves_all_batch_sizes,
    the_settings_that_took_effect_are_those_asked_for,
    each_value_of_its_knobs_takes_effect_and_the_answers_stay,
    running_other_sets_leaves_inputs_and_answers_as_they_were,
    a_precision_that_it_lacks_is_refused_with_a_reason,
)
ALONE: Sequence[Callable[[EngineUnderTest], None]] = (
    a_truncated_model_is_an_error_and_the_worker_lives_on,
    one_thread_uses_one_core_and_close_ends_the_process_well,
    two_threads_share_the_work,
    it_runs_on_as_many_threads_as_its_framework_takes,
    each_value_of_its_process_knobs_takes_effect_and_the_answers_stay,
    its_recipe_gives_the_answers_of_the_reference,
)
