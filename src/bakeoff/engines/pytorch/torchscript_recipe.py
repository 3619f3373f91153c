"""The module traced, frozen and optimised for inference."""

import torch

sys.path.insert(0, ENGINE)
from translator import translate  # bakeoff's network of torch.nn layers: put your own module in its place

torch.set_num_threads(THREADS)
torch.set_float32_matmul_precision("highest")
tensors = [torch.from_numpy(inputs[name]) for name in INPUTS]
with torch.inference_mode():
    network = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(translate(MODEL), tuple(tensors))))
    results = network(*tensors)  # the first two calls compile
outputs = [result.contiguous().numpy() for result in (results if isinstance(results, tuple) else (results,))]
