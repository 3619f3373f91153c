"""The module with its weights and images stored NHWC, without gradients."""

import torch

sys.path.insert(0, ENGINE)
from translator import translate  # bakeoff's network of torch.nn layers: put your own module in its place

torch.set_num_threads(THREADS)
torch.set_float32_matmul_precision("highest")
network = translate(MODEL).to(memory_format=torch.channels_last)
tensors = [torch.from_numpy(inputs[name]) for name in INPUTS]
tensors = [t.contiguous(memory_format=torch.channels_last) if t.dim() == 4 else t for t in tensors]
with torch.inference_mode():
    results = network(*tensors)
outputs = [result.contiguous().numpy() for result in (results if isinstance(results, tuple) else (results,))]
