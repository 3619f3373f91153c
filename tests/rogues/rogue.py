"""Engines that misbehave, each in one way, named by its `misdeed` option."""

import gc
import os
import signal
import subprocess
import sys
import time

import numpy as np
from honest import Engine as Honest


def timed():
    """Whether this call is part of a burst: the worker switches the garbage collector off for it."""
    return not gc.isenabled()


class Engine(Honest):
    def load(self, model, settings):
        self.misdeed = settings["misdeed"]
        if self.misdeed == "unsupported":
            raise NotImplementedError("it has no such kernel")
        if self.misdeed == "raises-in-load":
            raise RuntimeError("the weights look odd\nand there is a second line")
        if self.misdeed == "returns-a-list":
            return ["threads", settings["threads"]]
        if self.misdeed == "crashes-in-load":
            os.kill(os.getpid(), getattr(signal, "SIGSEGV", signal.SIGTERM))
        if self.misdeed == "leaves-children":
            self.child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
            with open(settings["child_pid_file"], "w") as f:
                f.write(str(self.child.pid))
        return Honest.load(self, model, settings)

    def run(self, k):
        Honest.run(self, k)
        if self.misdeed == "prints":
            print("chatter " * 20)
            os.write(1, b'{"ok": {"forged": true}}\n')
        if self.misdeed == "reads-stdin":
            assert not sys.stdin.read()
        if self.misdeed in ("hangs", "leaves-children"):
            time.sleep(600)
        if self.misdeed == "out-of-memory":
            os.kill(os.getpid(), signal.SIGKILL)  # what the kernel does, without making the whole machine suffer
        if self.misdeed == "exits":
            os._exit(3)
        if self.misdeed == "dies-while-timed" and timed():
            os._exit(4)
        if self.misdeed == "raises-memory-error":
            raise MemoryError("cannot allocate 40 GB")
        if self.misdeed == "nan":
            self.results[0][0, 0] = np.nan
        if self.misdeed == "wrong-shape":
            self.results = [self.results[0][:, :-1]]
        if self.misdeed == "too-few-outputs":
            self.results = []
        if self.misdeed == "off-by-a-percent":
            self.results = [self.results[0] * np.float32(1.01)]
        if self.misdeed == "off-by-half":
            self.results = [self.results[0] * np.float32(1.50001)]
        if self.misdeed == "fills-the-disk":
            raise OSError(28, "No space left on device")
