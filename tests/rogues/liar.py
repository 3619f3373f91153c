"""Engines that look fast or sound and are not, each in one way, named by its `lie` option."""

import concurrent.futures
import gc
import multiprocessing
import os
import threading
import time

import numpy as np
from honest import Engine as Honest


def timed():
    """Whether this call is part of a burst: the worker switches the garbage collector off for it."""
    return not gc.isenabled()


class Liar(Honest):
    """An honest engine until a lie below replaces some of it."""

    def __init__(self):
        self.calls = 0


class CachesItsFirstAnswer(Liar):
    def run(self, k):
        self.first = self.results = getattr(self, "first", None) or self.answer(k)

    def answer(self, k):
        Honest.run(self, k)
        return self.results


class CachesRepeatedInputs(Liar):
    """Right for every input; only the first time does it compute."""

    def prepare(self, input_sets):
        self.known = {}
        Honest.prepare(self, input_sets)

    def run(self, k):
        if k not in self.known:
            Honest.run(self, k)
            self.known[k] = self.results
        self.results = self.known[k]


class CachesWhileTimed(CachesRepeatedInputs):
    """... and that only while it is being watched."""

    def run(self, k):
        (CachesRepeatedInputs if timed() else Honest).run(self, k)


class ReturnsBeforeItIsDone(Liar):
    def load(self, model, settings):
        self.pool = concurrent.futures.ThreadPoolExecutor(1)
        return Honest.load(self, model, settings)

    def run(self, k):
        self.future = self.pool.submit(Honest.run, self, k)

    def outputs(self):
        self.future.result()
        return self.results


class WorksWhenAskedForOutputs(Liar):
    def run(self, k):
        self.k = k

    def outputs(self):
        Honest.run(self, self.k)
        return self.results


class WorksInPrepare(Liar):
    def prepare(self, input_sets):
        Honest.prepare(self, input_sets)
        self.answers = []
        for k in range(len(input_sets)):
            Honest.run(self, k)
            self.answers.append(self.results)

    def run(self, k):
        self.results = self.answers[k]


class AnswersThePreviousQuestion(Liar):
    previous = None

    def run(self, k):
        Honest.run(self, k)
        self.results, self.previous = self.previous or self.results, self.results


class ComputesInBf16(Liar):
    def load(self, model, settings):
        effective = Honest.load(self, model, settings)
        self.weights = {name: bf16(array) for name, array in self.weights.items()}
        return effective

    def run(self, k):
        Honest.run(self, k)
        self.results = [bf16(result) for result in self.results]


class DropsALayer(Liar):
    def load(self, model, settings):
        effective = Honest.load(self, model, settings)
        last = [node for node in self.graph["nodes"] if node["op"] == "Add"][-1]
        last["op"], last["inputs"] = "Relu", last["inputs"][:1]
        return effective


class SwapsHeightAndWidth(Liar):
    def prepare(self, input_sets):
        Honest.prepare(self, [[np.ascontiguousarray(array.swapaxes(2, 3)) for array in set_] for set_ in input_sets])


class MixesUpTheImagesOfABatch(Liar):
    def run(self, k):
        Honest.run(self, k)
        self.results = [np.roll(result, 1, axis=0) for result in self.results]


class GivesUpOnTheLastImage(Liar):
    def run(self, k):
        Honest.run(self, k)
        self.results[0][-1] = np.nan


class GarbageWhileTimed(Liar):
    def run(self, k):
        Honest.run(self, k)
        if timed():
            self.results = [self.results[0][:, ::-1].copy()]


class ChangesItsInput(Liar):
    def run(self, k):
        Honest.run(self, k)
        for array in self.input_sets[k]:
            array *= np.float32(1.5)


class ScribblesOnItsInput(Liar):
    """It has a copy of its own, so its answers stay right; whoever gave it the array has lost it."""

    def prepare(self, input_sets):
        self.given = input_sets
        Honest.prepare(self, [[array.copy() for array in arrays] for arrays in input_sets])

    def run(self, k):
        Honest.run(self, k)
        if timed():
            self.given[k][0][0, 0, 0, 0] += 1


class SleepsToLookSteady(Liar):
    def run(self, k):
        Honest.run(self, k)
        time.sleep(0.05)


class Spinning(Liar):
    """With a second thread that does nothing, busily."""

    def load(self, model, settings):
        self.busy = settings.get("spin", True)
        threading.Thread(target=self.spin, daemon=True).start()
        return Honest.load(self, model, settings)

    def spin(self):
        numbers = np.random.RandomState(0).random_sample(2000000)
        while self.busy:
            np.sort(numbers)  # lets go of the interpreter's lock

    def close(self):
        self.busy = False


class WorksInAnotherProcess(Liar):
    def load(self, model, settings):
        effective = Honest.load(self, model, settings)
        self.pipe, theirs = multiprocessing.Pipe()
        multiprocessing.get_context("fork").Process(target=self.serve, args=(theirs,), daemon=True).start()
        return effective

    def serve(self, pipe):
        while True:
            task = pipe.recv()
            if isinstance(task, list):
                Honest.prepare(self, task)
            else:
                Honest.run(self, task)
                pipe.send(self.results)

    def prepare(self, input_sets):
        self.pipe.send(input_sets)

    def run(self, k):
        self.pipe.send(k)
        self.results = self.pipe.recv()


class DiesBeforeReplying(Liar):
    measured = False

    def run(self, k):
        Honest.run(self, k)
        self.measured = timed()

    def outputs(self):
        if self.measured:
            os._exit(5)
        return self.results


class LeaksMemory(Liar):
    def run(self, k):
        Honest.run(self, k)
        self.leaked = [getattr(self, "leaked", None), np.ones(1 << 18)]


class SlowsDown(Liar):
    def run(self, k):
        begin = time.perf_counter()
        Honest.run(self, k)
        self.calls += 1
        # Of its first call: of each call's own time, a machine that gets faster meanwhile would hide it.
        self.first = getattr(self, "first", time.perf_counter() - begin)
        wait(0.05 * self.first * self.calls)


class HasTwoSpeeds(Liar):
    def run(self, k):
        begin = time.perf_counter()
        Honest.run(self, k)
        self.calls += 1
        if self.calls % 3 == 0:
            wait(15 * (time.perf_counter() - begin))  # so much that calls which others disturb stay the quick ones


class ClaimsAProvider(Liar):
    def load(self, model, settings):
        effective = Honest.load(self, model, settings)
        nodes = {"CPUExecutionProvider": len(self.graph["nodes"])}
        return dict(effective, provider=settings["provider"], nodes=nodes)


class TakesOtherThreads(Liar):
    def load(self, model, settings):
        return dict(Honest.load(self, model, settings), threads=settings["threads"] + 3)


class IgnoresAKnob(Liar):
    """It does not so much as read the setting."""


class AppliesAnotherValue(Liar):
    def load(self, model, settings):
        return dict(Honest.load(self, model, settings), pace="fast")


class TurnsItsKnob(Liar):
    """No lie."""

    def load(self, model, settings):
        return dict(Honest.load(self, model, settings), pace=settings["pace"])


class WritesToStdout(Liar):
    def run(self, k):
        Honest.run(self, k)
        os.write(1, b'{"ok": {"forged": true}}\n')


class InTwoThreads(Liar):
    """No lie: each thread computes half of the batch."""

    def load(self, model, settings):
        self.pool = concurrent.futures.ThreadPoolExecutor(2)
        self.halves = [Honest(), Honest()]
        return [half.load(model, settings) for half in self.halves][0]

    def prepare(self, input_sets):
        for i, half in enumerate(self.halves):
            half.prepare([[np.array_split(array, 2)[i] for array in arrays] for arrays in input_sets])

    def run(self, k):
        list(self.pool.map(lambda half: half.run(k), self.halves))
        self.results = [np.concatenate(parts) for parts in zip(*[half.results for half in self.halves])]


LIES = {
    "caches-its-first-answer": CachesItsFirstAnswer,
    "caches-repeated-inputs": CachesRepeatedInputs,
    "caches-while-timed": CachesWhileTimed,
    "returns-before-it-is-done": ReturnsBeforeItIsDone,
    "works-when-asked-for-outputs": WorksWhenAskedForOutputs,
    "works-in-prepare": WorksInPrepare,
    "answers-the-previous-question": AnswersThePreviousQuestion,
    "computes-in-bf16": ComputesInBf16,
    "drops-a-layer": DropsALayer,
    "swaps-height-and-width": SwapsHeightAndWidth,
    "mixes-up-the-images-of-a-batch": MixesUpTheImagesOfABatch,
    "gives-up-on-the-last-image": GivesUpOnTheLastImage,
    "garbage-while-timed": GarbageWhileTimed,
    "changes-its-input": ChangesItsInput,
    "scribbles-on-its-input": ScribblesOnItsInput,
    "sleeps-to-look-steady": SleepsToLookSteady,
    "uses-another-thread": Spinning,
    "works-in-another-process": WorksInAnotherProcess,
    "dies-before-replying": DiesBeforeReplying,
    "leaks-memory": LeaksMemory,
    "slows-down": SlowsDown,
    "has-two-speeds": HasTwoSpeeds,
    "claims-a-provider": ClaimsAProvider,
    "takes-other-threads": TakesOtherThreads,
    "ignores-a-knob": IgnoresAKnob,
    "applies-another-value": AppliesAnotherValue,
    "none, and turns its knob": TurnsItsKnob,
    "writes-to-stdout": WritesToStdout,
    "uses-one-thread-of-two": Liar,
    "spins-to-look-busy": Spinning,
    "none, in two threads": InTwoThreads,
}


class Engine:
    """Whatever engine the `lie` in its settings names."""

    def describe(self):
        return Honest().describe()

    def load(self, model, settings):
        self.liar = LIES[settings["lie"]]()
        return self.liar.load(model, settings)

    def prepare(self, input_sets):
        self.liar.prepare(input_sets)

    def run(self, k):
        self.liar.run(k)

    def outputs(self):
        return self.liar.outputs()

    def close(self):
        self.liar.close()


def wait(seconds):
    """Let time pass with a busy thread."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def bf16(array):
    """`array` with the precision of bfloat16: the upper 16 bits of each float32."""
    return (np.ascontiguousarray(array, np.float32).view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)
