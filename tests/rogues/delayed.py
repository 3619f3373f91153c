"""The honest engine, slower by the share of its own time that its `delay` option says: a slowdown of known size."""

import time

from honest import Engine as Honest


class Engine(Honest):
    def run(self, k):
        begin = time.perf_counter()
        Honest.run(self, k)
        now = time.perf_counter()
        until = now + (now - begin) * self.settings["delay"]
        while now < until:
            now = time.perf_counter()
