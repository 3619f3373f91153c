"""The module without gradients, as it is, traced and frozen, or compiled by Inductor with a C++ compiler."""

import torch

sys.path.insert(0, ENGINE)
from inductor import for_inductor
from translator import translate  # bakeoff's network of torch.nn layers: put your own module in its place

torch.set_num_threads(THREADS)
torch.set_float32_matmul_precision("highest")
torch.set_flush_denormal(FLUSH_DENORMALS)
torch.backends.mkldnn.set_flags(ONEDNN)
form = torch.channels_last if LAYOUT == "channels_last" else torch.contiguous_format
network = translate(MODEL).to(memory_format=form)
tensors = [torch.from_numpy(inputs[name]) for name in INPUTS]
tensors = [tensor.contiguous(memory_format=form) if tensor.dim() == 4 else tensor for tensor in tensors]
with torch.inference_mode():
    if MODE == "torchscript":
        network = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(network, tuple(tensors))))
    if MODE == "compile":
        torch._inductor.config.freezing, torch._inductor.config.max_autotune = FREEZING, MAX_AUTOTUNE
        network = torch.compile(for_inductor(network), dynamic=False)
    results = network(*tensors)  # the first calls compile
outputs = [result.contiguous().numpy() for result in (results if isinstance(results, tuple) else (results,))]
