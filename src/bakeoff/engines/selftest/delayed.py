"""Another adapter, every call of it slowed down by a known share, or by none: the self-test must find just that.

`BAKEOFF_DELAYED_ADAPTER` is the adapter's path, `BAKEOFF_DELAY` the share of its own time that each call takes longer.
The delay is spun away: a sleep would let cores and thread pools go to sleep too, and cost more than it says.
"""

import importlib.util
import os
import sys
import time

ADAPTER = os.environ["BAKEOFF_DELAYED_ADAPTER"]
SHARE = float(os.environ["BAKEOFF_DELAY"])

clock = time.perf_counter


def import_adapter(path):
    sys.path.insert(0, os.path.dirname(path))
    spec = importlib.util.spec_from_file_location("bakeoff_delayed_adapter", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


class Engine(import_adapter(ADAPTER).Engine):
    def run(self, k):
        begin = clock()
        super().run(k)
        end = clock()
        until = end + SHARE * (end - begin)
        while clock() < until:
            pass
