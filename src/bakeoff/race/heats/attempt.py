"""One worker at one batch size: it gets ready, it runs its bursts, and a trial comes of it."""

import random
import statistics
from collections.abc import Callable, Mapping, Sequence
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
from bakeoff.machine.others import together
from bakeoff.race.heats.worker import HeatWorker
from bakeoff.race.ready.runnable import answers_in, worker_model
from bakeoff.records import Accuracy, Disturbance, Measurement, Parity, Status, Trial
from bakeoff.worker.replies import Burst, Outputs
from bakeoff.worker.session import Usage, WorkerSession

WARM_UP_CALLS = 3
"""so many inferences at a time, until the medians of such blocks stop trending"""
WARM_UP_S = 0.5
"""... or so long have been spent on it: a slow network gets a single call, beside the checked ones before it and the
untimed one of each burst"""
BURST_S = 0.4
"""A burst aims at this, within its bounds: long enough to outweigh the switch between workers, short enough that
the machine does not drift within a turn."""
BURST_MIN, BURST_MAX = 2, 32

Array = NDArray[np.generic]

STATUS_OF: Mapping[type[WorkerError], Status] = {
    UnsupportedError: Status.UNSUPPORTED,
    WrongOutputsError: Status.WRONG,
    UntimedWorkError: Status.WRONG,
    WorkerTimedOutError: Status.TIMED_OUT,
}


class Attempt:
    """Each step raises `WorkerError`; whoever takes the steps keeps it in `error`, and `trial` tells the end."""

    def __init__(self, worker: HeatWorker, batch_size: int, *, repeat: bool = False) -> None:
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
        worker = self.worker
        with worker.awake() as session:
            self.cold, worker.fresh = worker.fresh, False
            model = worker_model(worker.runnable, worker.context.model, self.case.batch_size)
            loaded = session.load(model, self.requested())
            self.effective, self.load_s = loaded.effective, loaded.seconds
            self.prepare_s = session.prepare(self.inputs.paths).seconds
            first = self.check_first(lambda k: session.outputs(k, worker.scratch))
            self.first_inference_s = first[0]
            self.warm_up = [*first, *self._warm_up(session)]

    def _warm_up(self, session: WorkerSession) -> list[float]:
        """Run until the latencies are steady, for `WARM_UP_S` at most; the checked inferences came before."""
        latencies: list[float] = []
        order = [k % self.inputs.sets for k in range(WARM_UP_CALLS)]
        while not latencies or (sum(latencies) < WARM_UP_S and not warmed_up(latencies)):
            left = WARM_UP_S - sum(latencies)
            latencies += session.warm_up(order, at_least=1, at_most_seconds=left)
        return latencies

    def check_first(self, ask: Callable[[int], Outputs]) -> list[float]:
        """Check what `ask` gets for an input set, before any clock runs: all sets in the first round, one in each later
        one. Returns the seconds that each took.
        """
        context, sets = self.worker.context, self.inputs.sets
        seconds = []
        for k in range(sets) if context.round == 1 else [context.round % sets]:
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
        found, fault = parity.compare(outputs, expected, classes=context.model.classes)
        self.parities.append(found)
        status, reason = parity.judge(found, fault, tolerance=context.tolerance)
        if status is not Status.OK:
            raise WrongOutputsError(f"{reason}{when}")

    def burst(self, rng: random.Random) -> None:
        """One turn: an untimed call, then a few timed ones; the last one's outputs are checked."""
        first = rng.randrange(self.inputs.sets)
        order = [(first + i) % self.inputs.sets for i in range(self._burst_size())]
        others = self.worker.context.host.watch(self.worker.pid)
        with self.worker.awake() as session:
            before = session.usage()
            reply = session.measure(order, [first - 1 if first else self.inputs.sets - 1], self.worker.scratch)
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
        latency = statistics.median(self.warm_up[-WARM_UP_CALLS:])
        return max(BURST_MIN, min(BURST_MAX, round(BURST_S / max(latency, 1e-9))))

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
            log_bytes=sum(after.log_bytes - before.log_bytes for before, after in turns),
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
