"""An engine that one knob makes twice as fast; another does nothing, and one makes trouble."""

import os
import signal

import numpy as np
from honest import Engine as Honest


class Engine(Honest):
    def load(self, model, settings):
        self.times = 1 if settings["pace"] == "fast" else 2
        self.trouble = settings["trouble"]
        if self.trouble == "crashes":
            os.kill(os.getpid(), getattr(signal, "SIGSEGV", signal.SIGTERM))
        taken = {name: settings[name] for name in ("pace", "idle", "trouble")}
        if self.trouble == "lies":
            taken["trouble"] = "none"
        return dict(Honest.load(self, model, settings), **taken)

    def run(self, k):
        if self.trouble == "answers-wrongly":
            self.results = [np.zeros((len(self.input_sets[k][0]), 10), np.float32)]
            return
        for _ in range(self.times):
            Honest.run(self, k)
