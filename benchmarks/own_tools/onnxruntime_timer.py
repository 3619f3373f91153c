"""Mean latency by ONNX Runtime's own onnxruntime_test. Runs in ONNX Runtime's environment; prints one line of JSON.

That is the Python benchmark of its wheel (`onnxruntime.tools.onnxruntime_test`, the command `onnxruntime_test`); the
C++ one, onnxruntime_perf_test, is in no wheel. The loop and the clock are its own. It makes its session with as many
threads as there are cores, so it is handed one with the threads asked for; and since it never warms up, it gets the
same one twice.

Arguments: the job as JSON: {model, settings, inputs, seconds}.
"""

import contextlib
import functools
import io
import json
import re
import sys
import types

import numpy as np
import onnxruntime as ort
from onnxruntime.tools import onnxruntime_test

WARM_UP_CALLS = 10


def main():
    job = json.loads(sys.argv[1])
    options = ort.SessionOptions()
    options.intra_op_num_threads = job["settings"]["threads"]
    provider = job["settings"]["provider"]
    session = ort.InferenceSession(job["model"]["path"], options, providers=[provider])
    onnxruntime_test.onnxrt = types.SimpleNamespace(
        InferenceSession=lambda *_, **__: session, get_available_providers=ort.get_available_providers
    )
    names = [tensor["name"] for tensor in job["model"]["inputs"]]
    feeds = dict(zip(names, map(np.load, job["inputs"]), strict=True))
    run = functools.partial(average_ms, job["model"]["path"], feeds)
    run(WARM_UP_CALLS)
    calls = max(WARM_UP_CALLS, round(job["seconds"] * 1e3 / run(WARM_UP_CALLS)))
    print(json.dumps({"seconds": run(calls) * 1e-3}))


def average_ms(path, feeds, calls):
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        onnxruntime_test.run_model(path, calls, feeds=feeds)
    return float(re.search(r"avg latency: ([\d.e-]+) ms", said.getvalue()).group(1))


main()
