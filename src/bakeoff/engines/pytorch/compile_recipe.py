"""The module compiled by Inductor with frozen weights; needs a C++ compiler."""

import torch
import torch._inductor.config

sys.path.insert(0, ENGINE)
from inductor import for_inductor
from translator import translate  # bakeoff's network of torch.nn layers: put your own module in its place

torch.set_num_threads(THREADS)
torch.set_float32_matmul_precision("highest")
torch._inductor.config.freezing = True
network = torch.compile(for_inductor(translate(MODEL)), dynamic=False)
with torch.inference_mode():
    results = network(*[torch.from_numpy(inputs[name]) for name in INPUTS])  # the first call compiles
outputs = [result.contiguous().numpy() for result in (results if isinstance(results, tuple) else (results,))]
