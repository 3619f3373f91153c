"""Median latency by MLPerf LoadGen: it owns the clock, and drives the adapter through the worker's own class.

Runs in an engine's environment, with LoadGen's wheel on PYTHONPATH; prints one line of JSON. Arguments: the paths of
worker.py and of the adapter, and the job as JSON: {model, settings, inputs, seconds}.
"""

import array
import importlib.util
import json
import re
import sys
import tempfile
from pathlib import Path

import mlperf_loadgen as lg


def main():
    worker_file, adapter, job = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
    spec = importlib.util.spec_from_file_location("bakeoff_worker", worker_file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    worker = module.Worker(adapter)
    worker.hello(module.PROTOCOL)
    worker.load(job["model"], job["settings"])
    worker.prepare([job["inputs"]])
    worker.warm_up([0], 3, 1.0)
    run = worker.engine.run
    nothing = array.array("B", b"\0")
    address, length = nothing.buffer_info()

    def issue(queries):
        for query in queries:
            run(query.index)
            lg.QuerySamplesComplete([lg.QuerySampleResponse(query.id, address, length)])

    settings = lg.TestSettings()
    settings.scenario = lg.TestScenario.SingleStream
    settings.mode = lg.TestMode.PerformanceOnly
    settings.min_duration_ms = settings.max_duration_ms = int(job["seconds"] * 1000)
    settings.min_query_count = 10
    with tempfile.TemporaryDirectory() as folder:
        logs = lg.LogSettings()
        logs.log_output.outdir = folder
        logs.log_output.copy_summary_to_stdout = False
        logs.enable_trace = False
        sut = lg.ConstructSUT(issue, lambda: None)
        samples = lg.ConstructQSL(1, 1, lambda _: None, lambda _: None)
        lg.StartTestWithLogSettings(sut, samples, settings, logs)
        lg.DestroyQSL(samples)
        lg.DestroySUT(sut)
        summary = (Path(folder) / "mlperf_log_summary.txt").read_text(encoding="utf-8")
    median_ns = re.search(r"50\.00 percentile latency \(ns\)\s*:\s*(\d+)", summary).group(1)
    print(json.dumps({"median_s": int(median_ns) * 1e-9}))


main()
