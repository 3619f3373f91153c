"""Latency by MLPerf LoadGen: it owns the clock, and drives the adapter through the worker's own class.

Runs in an engine's environment, with LoadGen's wheel on PYTHONPATH; prints one line of JSON. Arguments: the scenario
(SingleStream: the median latency; Offline: the time per query of one stream), the paths of worker.py and of the
adapter, and the job as JSON: {model, settings, inputs, seconds}.
"""

import array
import importlib.util
import json
import re
import statistics
import sys
import tempfile
from pathlib import Path

import mlperf_loadgen as lg

MEDIAN_NS = r"50\.00 percentile latency \(ns\)\s*:\s*(\d+)"
SAMPLES_PER_SECOND = r"Samples per second\s*:\s*([\d.e+]+)"


def main():
    scenario, worker_file, adapter, job = *sys.argv[1:4], json.loads(sys.argv[4])
    spec = importlib.util.spec_from_file_location("bakeoff_worker", worker_file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    worker = module.Worker(adapter)
    worker.hello(module.PROTOCOL)
    worker.load(job["model"], job["settings"])
    worker.prepare([job["inputs"]])
    warm = worker.warm_up([0] * 1000, 3, 1.0)["latencies"]
    settings = lg.TestSettings()
    settings.scenario = getattr(lg.TestScenario, scenario)
    settings.mode = lg.TestMode.PerformanceOnly
    settings.min_duration_ms = int(job["seconds"] * 1000)
    settings.min_query_count = 10
    if scenario == "Offline":
        settings.offline_expected_qps = 1 / statistics.median(warm)
        seconds = 1 / float(re.search(SAMPLES_PER_SECOND, summary_of(worker.engine.run, settings)).group(1))
    else:
        settings.max_duration_ms = settings.min_duration_ms
        seconds = int(re.search(MEDIAN_NS, summary_of(worker.engine.run, settings)).group(1)) * 1e-9
    print(json.dumps({"seconds": seconds}))


def summary_of(run, settings):
    """What LoadGen says of its test of ``run``."""
    nothing = array.array("B", b"\0")
    address, length = nothing.buffer_info()

    def issue(queries):
        for query in queries:
            run(query.index)
            lg.QuerySamplesComplete([lg.QuerySampleResponse(query.id, address, length)])

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
        return (Path(folder) / "mlperf_log_summary.txt").read_text(encoding="utf-8")


main()
