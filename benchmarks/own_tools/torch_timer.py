"""Median latency by PyTorch's own torch.utils.benchmark. Runs in PyTorch's environment; prints one line of JSON.

Arguments: the adapter's folder, and the job as JSON: {model, settings, inputs, seconds}.
"""

import json
import sys

import numpy as np


def main():
    folder, job = sys.argv[1], json.loads(sys.argv[2])
    sys.path.insert(0, folder)
    import torch
    from torch.utils.benchmark import Timer
    from translator import translate

    torch.set_num_threads(job["settings"]["threads"])
    tensors = [torch.from_numpy(np.load(path)) for path in job["inputs"]]
    with torch.inference_mode():
        timer = Timer(
            stmt="network(*tensors)",
            globals={"network": translate(job["model"]["path"]), "tensors": tensors},
            num_threads=job["settings"]["threads"],
        )
        timer.timeit(3)
        measured = timer.blocked_autorange(min_run_time=job["seconds"])
    print(json.dumps({"seconds": measured.median}))


main()
