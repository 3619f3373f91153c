"""One worker at one batch size: it gets ready, it runs its bursts, and a trial comes of it."""

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bakeoff.errors import (
    UnsupportedError,
    UntimedWorkError,
    WorkerDiedError,
    WorkerError,
    WorkerTimedOutError,
    WrongOutputsError,
)
from bakeoff.judge.case import parity
from bakeoff.judge.case.steady_state import warmed_up
from bakeoff.judge.table import effort
from bakeoff.machine.others import together
from bakeoff.race.heats.worker import HeatWorker
from bakeoff.race.ready.runnable import answers_in
from bakeoff.records import Accuracy, Disturbance, Measurement, Parity, Status, Trial
from bakeoff.worker.replies import Burst, Outputs
from bakeoff.worker.session import Usage, WorkerSession

WARM_UP_CALLS = 3
"""so many inferences at a time, until the medians of such blocks stop trending"""
WARM_UP_S = 0.2
"""... or so long have been spent on it: a slow network gets a single call, beside the checked ones before it and the
untimed one of each burst"""
BURST_S = 0.05
"""A turn aims at this, within its bounds. What disturbs a shared machine lasts for some 0.3 s (docs/method.md): many
turns shorter than that meet it as often as they should, where few long ones meet it or not."""
CALLS, MOST_CALLS = 2, 32

Array = NDArray[np.generic]

STATUS_OF: Mapping[type[WorkerError], Status] = {
    UnsupportedError: Status.UNSUPPORTED,
    WrongOutputsError: Status.WRONG,
    UntimedWorkError: Status.WRONG,
    WorkerTimedOutError: Status.TIMED_OUT,
}


class Attempt:
    """Each step raises `WorkerError`; whoever takes the steps keeps it in `error`, and `trial` tells the end."""

    def __init__(self, worker: HeatWorker, batch_size: int, *, repeat: bool = False, turns: int = 1) -> None:
        """`turns` is the least number of them: a repeat takes no fewer than the try whose place it takes."""
        self.worker = worker
        self.case = worker.case(batch_size)
        self.inputs = worker.context.inputs[batch_size]
        self.repeat = repeat
        self.started_at = worker.context.host.time()
        self.error: WorkerError | None = None
        self.effective: Mapping[str, Any] = {}
        self.parities: list[Parity] = []
        self.load_s = self.prepare_s = self.first_inference_s = 0.0
        self.warm_up: list[float] = []
        self.bursts: list[Burst] = []
        self.disturbances: list[Disturbance | None] = []
        self.rss_mb: list[float] = []
        self.usage: list[Usage] = []
        self.busy_without_spinning: float | None = None
        self.accuracy: Accuracy | None = None
        self.cold = False
        self.ready_s = 0.0
        """how long it took to get ready"""
        self.fewest_calls = CALLS
        """timed calls of a turn, however long one takes"""
        self.fewest_turns = turns

    @property
    def alive(self) -> bool:
        """Whether it is still in the race."""
        return self.error is None

    @property
    def killed_its_worker(self) -> bool:
        """Whether the worker died of it: worth one more try, alone, unless it dies whenever it is started."""
        return isinstance(self.error, WorkerDiedError) and not self.worker.stillborn

    def get_ready(self) -> None:
        """Load for this batch size, check outputs, warm up."""
        worker, host = self.worker, self.worker.context.host
        begin = host.monotonic()
        with worker.awake() as session:
            self.cold, worker.fresh = worker.fresh, False
            loaded = worker.load(session, self.case.batch_size)
            self.effective, self.load_s = loaded.effective, loaded.seconds
            self.prepare_s = session.prepare(self.inputs.paths).seconds
            # One input set, since turns check the others.
            one = [worker.context.round % self.inputs.sets]
            (self.first_inference_s,) = self.check_first(lambda k: session.outputs(k, worker.scratch), one)
            self.warm_up = [self.first_inference_s, *self._warm_up(session)]
        self.ready_s = host.monotonic() - begin

    def _warm_up(self, session: WorkerSession) -> list[float]:
        """Run until the latencies have settled, for `WARM_UP_S` at most, but once; a checked inference came before."""
        latencies: list[float] = []
        order = [k % self.inputs.sets for k in range(WARM_UP_CALLS)]
        while not latencies or (sum(latencies) < WARM_UP_S and not warmed_up(latencies)):
            # The checked one counts for as long as this one takes: a first inference may compile.
            left = WARM_UP_S - sum(latencies) - max(latencies, default=0.0)
            latencies += session.warm_up(order, at_least=1, at_most_seconds=left)
        return latencies

    def check_first(self, ask: Callable[[int], Outputs], sets: Iterable[int]) -> list[float]:
        """Check what `ask` gets for each of some input sets, before any clock runs; the seconds that each took."""
        seconds = []
        for k in sets:
            reply = ask(k)
            seconds.append(reply.seconds)
            self.check(reply, self.inputs.expected[k], "")
        return seconds

    def check(self, reply: Outputs, expected: Sequence[Array], when: str) -> None:
        """See that a reply tells of the outputs `expected`, and of no input changed; raises `WrongOutputsError`."""
        context = self.worker.context
        for k, i in reply.inputs_changed:
            raise WrongOutputsError(f"it changes its inputs: {context.model.inputs[i].name} of set {k}{when}")
        outputs = answers_in(reply, context.model, self.case.batch_size)
        names = [output.name for output in context.model.outputs]
        found, fault = parity.compare(outputs, expected, classes=context.model.classes, names=names)
        self.parities.append(found)
        status, reason = parity.judge(found, fault, tolerance=context.tolerance)
        if status is not Status.OK:
            raise WrongOutputsError(f"{reason}{when}")

    def burst(self) -> None:
        """One turn: an untimed call if it is short, then a few timed ones; the last one's outputs are checked."""
        size, sets, untimed = self._burst_size(), self.inputs.sets, effort.untimed_calls(self.warm_latency)
        first = (self.worker.context.round + len(self.bursts) + 2 - size) % sets  # so that the checked one moves on
        order = [(first + i) % sets for i in range(size)]
        others = self.worker.context.host.watch(self.worker.pid)
        with self.worker.awake() as session:
            before = session.usage()
            reply = session.measure(order, [(first - 1) % sets] * untimed, self.worker.scratch)
            after = session.usage()
        self.disturbances.append(others())
        self.check(reply, self.inputs.expected[order[-1]], " (while timed)")
        self.bursts.append(reply)
        self.usage += [before, after]

    def read_memory(self) -> None:
        """Note how much memory the worker holds, between two bursts."""
        held = self.worker.session and self.worker.session.rss_bytes()
        if held:
            self.rss_mb.append(held / 1e6)

    def _burst_size(self) -> int:
        if not effort.untimed_calls(self.warm_latency):
            return math.ceil(effort.LONG_TURN_S / self.warm_latency)
        return max(self.fewest_calls, min(MOST_CALLS, round(BURST_S / self.warm_latency)))

    @property
    def warm_latency(self) -> float:
        """Of a call, in seconds, as the last calls of the warm-up tell, the first inference aside; never zero."""
        return max(statistics.median(self.warm_up[1:][-WARM_UP_CALLS:]), 1e-9)

    @property
    def turns(self) -> list[float]:
        """The mean latency of each turn so far, in seconds."""
        return [statistics.fmean(burst.latencies) for burst in self.bursts]

    def requested(self) -> dict[str, Any]:
        """The settings as the adapter gets them."""
        return self.worker.runnable.settings(self.case.batch_size)

    def trial(self) -> Trial:
        """What came of it: a measurement, or the reason why there is none."""
        status = Status.OK if self.error is None else STATUS_OF.get(type(self.error), Status.FAILED)
        return Trial(
            round=self.worker.context.round,
            case=self.case,
            status=status,
            reason=str(self.error or ""),
            log=str(self.worker.log),
            framework_version=self.worker.hello.framework.version if self.worker.hello else "",
            environment_digest=self.worker.runnable.installed.digest,
            requested=self.requested(),
            effective=self.effective,
            parity=parity.worst(self.parities),
            measurement=self._measurement() if self.error is None else None,
            started_at=self.started_at,
            disturbance=together(self.disturbances) if self.error is None else None,
            repeat=self.repeat,
            accuracy=self.accuracy,
        )

    def _measurement(self) -> Measurement:
        peak = self.bursts[-1].peak_rss_bytes
        turns = list(zip(self.usage[::2], self.usage[1::2], strict=True))
        untimed = effort.untimed_calls(self.warm_latency)
        return self.measured(
            latencies=tuple(tuple(burst.latencies) for burst in self.bursts),
            burst_s=tuple(burst.seconds for burst in self.bursts),
            cpu_s=tuple(burst.cpu_seconds for burst in self.bursts),
            voluntary_switches=sum(burst.voluntary_switches for burst in self.bursts),
            involuntary_switches=sum(burst.involuntary_switches for burst in self.bursts),
            peak_rss_mb=None if peak is None else peak / 1e6,
            cold=self.cold,
            rss_mb=tuple(self.rss_mb),
            helper_cpu_s=tuple(after.helpers_cpu_s - before.helpers_cpu_s for before, after in turns),
            queued_s=tuple(burst.queued_seconds for burst in self.bursts),
            log_bytes=sum(
                round((after.log_bytes - before.log_bytes) / (1 + untimed / len(burst.latencies)))
                for burst, (before, after) in zip(self.bursts, turns, strict=True)
            ),
            busy_without_spinning=self.busy_without_spinning,
        )

    def measured(self, **found: Any) -> Measurement:
        """A measurement of `found`, and of how it got ready."""
        hello = self.worker.hello
        assert hello is not None  # noqa: S101 - it comes before anything can be measured
        return Measurement(
            import_s=hello.import_seconds,
            load_s=self.load_s,
            prepare_s=self.prepare_s,
            first_inference_s=self.first_inference_s,
            warm_up=tuple(self.warm_up),
            **found,
        )
