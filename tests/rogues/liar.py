"""Engines that look fast or sound and are not, each in one way, named by its `lie` option."""

import multiprocessing
import threading
import time

import numpy as np
from honest import Engine as Honest


class Engine(Honest):
    previous = None

    def load(self, model, settings):
        self.lie = settings["lie"]
        effective = Honest.load(self, model, settings)
        if self.lie == "drops-a-layer":
            last = [node for node in self.graph["nodes"] if node["op"] == "Add"][-1]
            last["op"], last["inputs"] = "Relu", last["inputs"][:1]
        if self.lie == "computes-in-bf16":
            self.weights = {name: bf16(array) for name, array in self.weights.items()}
        if self.lie == "uses-another-thread":
            self.busy = True
            threading.Thread(target=self.spin, daemon=True).start()
        return effective

    def prepare(self, input_sets):
        if self.lie == "swaps-height-and-width":
            input_sets = [[np.ascontiguousarray(array.swapaxes(2, 3)) for array in arrays] for arrays in input_sets]
        Honest.prepare(self, input_sets)
        if self.lie == "works-in-another-process":
            ours, theirs = multiprocessing.Pipe()
            self.helper = multiprocessing.get_context("fork").Process(target=self.serve, args=(theirs,), daemon=True)
            self.helper.start()
            self.pipe = ours

    def serve(self, pipe):
        while True:
            Honest.run(self, pipe.recv())
            pipe.send(self.results)

    def spin(self):
        numbers = np.random.RandomState(0).random_sample(2000000)
        while self.busy:
            np.sort(numbers)  # lets go of the interpreter's lock

    def run(self, k):
        if self.lie == "caches-its-first-answer" and self.previous is not None:
            self.results = self.previous
            return
        if self.lie == "works-in-another-process":
            self.pipe.send(k)
            self.results = self.pipe.recv()
            return
        Honest.run(self, k)
        self.tell_the_lie(k)

    def tell_the_lie(self, k):
        if self.lie == "caches-its-first-answer":
            self.previous = self.results
        if self.lie == "answers-the-previous-question":
            self.results, self.previous = self.previous or self.results, self.results
        if self.lie == "computes-in-bf16":
            self.results = [bf16(result) for result in self.results]
        if self.lie == "mixes-up-the-images-of-a-batch":
            self.results = [np.roll(result, 1, axis=0) for result in self.results]
        if self.lie == "gives-up-on-the-last-image":
            self.results[0][-1] = np.nan
        if self.lie == "changes-its-input":
            for array in self.input_sets[k]:
                array *= np.float32(1.5)
        if self.lie == "sleeps-to-look-steady":
            time.sleep(0.05)

    def close(self):
        self.busy = False


def bf16(array):
    """`array` with the precision of bfloat16: the upper 16 bits of each float32."""
    return (np.ascontiguousarray(array, np.float32).view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)
