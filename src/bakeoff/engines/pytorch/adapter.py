"""PyTorch in each of its CPU modes. Good for PyTorch 1.1 and today's."""

import os
import shutil
import sys

import torch
from network import Network, named
from translator import translate

without_gradients = getattr(torch, "inference_mode", torch.no_grad)  # inference_mode came with 1.9
MKLDNN = torch.backends.mkldnn.is_available() if hasattr(torch.backends, "mkldnn") else torch._C.has_mkldnn  # noqa: SLF001


class Engine:
    def describe(self):
        return {
            "version": torch.__version__,
            "mkldnn": MKLDNN,
            "mkl": torch.backends.mkl.is_available(),
        }

    def load(self, model, settings):
        if settings["precision"] != "fp32":
            raise NotImplementedError("this engine computes in fp32 only, not in {}".format(settings["precision"]))
        torch.set_num_threads(settings["threads"])
        if hasattr(torch, "set_float32_matmul_precision"):
            torch.set_float32_matmul_precision("highest")  # "medium" would let oneDNN round to bf16
        self.mode = settings.get("mode", "eager")
        examples = tuple(torch.zeros(i["shape"], dtype=getattr(torch, i["dtype"])) for i in model["inputs"])
        with without_gradients():
            self.network, facts = MODES[self.mode](network_of(model), examples)
        return dict(facts, threads=torch.get_num_threads(), precision=precision(), mode=self.mode)

    def prepare(self, input_sets):
        layout = channels_last if self.mode == "channels-last" else torch.Tensor.contiguous
        self.sets = [[layout(torch.from_numpy(array)) for array in arrays] for arrays in input_sets]

    def run(self, k):
        try:
            with without_gradients():
                self.result = self.network(*self.sets[k])
        except RuntimeError as error:
            if "not implemented for" in str(error):  # it names its operator and the type
                raise NotImplementedError("PyTorch: {}".format(error)) from error
            raise

    def outputs(self):
        results = self.result if isinstance(self.result, (tuple, list)) else (self.result,)
        return [result.contiguous().numpy() for result in results]

    def close(self):
        self.network = self.sets = self.result = None


def network_of(model):
    """The layers of a plain graph, or a user's own exported program."""
    if model["format"] == "own-pt2":
        from own_program import network

        return network(model["path"])
    return translate(model["path"])


def precision():
    """The least that PyTorch may round float32 to within a convolution or matrix product."""
    allowed = torch.get_float32_matmul_precision() if hasattr(torch, "get_float32_matmul_precision") else "highest"
    return {"highest": "fp32", "high": "tf32", "medium": "bf16"}[allowed]


# The modes: from a network and examples of its inputs to what is called with inputs, and what there is to tell.


def eager(network, _examples):
    return network, {}


def in_channels_last(network, _examples):
    return network.to(memory_format=torch.channels_last), {}


def channels_last(tensor):
    """The same NCHW tensor, its channels stored innermost."""
    return tensor.contiguous(memory_format=torch.channels_last) if tensor.dim() == 4 else tensor  # noqa: PLR2004


def torchscript(network, examples):
    script = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(network, examples)))
    for _ in range(2):  # the executor watches the first call and compiles in the second
        script(*examples)
    return script, {}


def mkldnn(network, examples):
    """The network with weights in MKL-DNN's own layout. The inputs are dense, so their conversion is part of a run."""
    from torch.utils.mkldnn import to_mkldnn

    integers = [str(tensor.dtype) for tensor in examples if not tensor.is_floating_point()]
    if integers:
        raise NotImplementedError("MKL-DNN's tensors hold floats alone, not {}".format(integers[0]))
    network = to_mkldnn(network)
    dense = []
    values = {name: tensor.to_mkldnn() for name, tensor in zip(network.inputs, examples)}
    for i, (layer, (reads, written, _)) in enumerate(zip(network.layers, network.steps)):
        try:
            values.update(named(written, layer(*[values[name] for name in reads])))
        except RuntimeError as error:
            if any(True for _ in layer.parameters()):  # which are in MKL-DNN's layout now
                reason = str(error).splitlines()[0]
                raise NotImplementedError("{} on MKL-DNN tensors: {}".format(written[0], reason)) from error
            network.layers[i] = Dense(layer)
            try:
                values.update(named(written, network.layers[i](*[values[name] for name in reads])))
            except RuntimeError as neither:
                reason = str(neither).splitlines()[0]
                raise NotImplementedError("{} behind MKL-DNN tensors: {}".format(written[0], reason)) from neither
            dense.extend(written)

    def run(*tensors):
        results = network(*[tensor.to_mkldnn() for tensor in tensors])
        return tuple(r.to_dense() for r in results) if isinstance(results, tuple) else results.to_dense()

    return run, {"dense_layers": dense}


class Dense(torch.nn.Module):
    """Runs a layer that has no MKL-DNN form on ordinary tensors."""

    def __init__(self, layer):
        super(Dense, self).__init__()
        self.layer = layer

    def forward(self, *tensors):
        result = self.layer(*[tensor.to_dense() for tensor in tensors])
        return tuple(r.to_mkldnn() for r in result) if isinstance(result, tuple) else result.to_mkldnn()


def compiled(network, examples):
    """Inductor, with frozen weights. Compiled here and not at the first inference."""
    compiler = os.environ.get("CXX") or {"darwin": "clang++", "win32": "cl"}.get(sys.platform, "g++")
    if not shutil.which(compiler):
        raise NotImplementedError("torch.compile needs a C++ compiler, and there is no {} here".format(compiler))
    # By default its cache is in a folder for temporary files, and its compiler processes outlive the compilation.
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", os.path.expanduser(os.path.join("~", ".cache", "torchinductor")))
    os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")
    import torch._inductor.config
    from inductor import for_inductor

    torch._inductor.config.freezing = True  # noqa: SLF001 - as an option of torch.compile it does not reach all passes
    torch._dynamo.reset()  # noqa: SLF001 - else it gives up, in silence, after a few networks in one process
    run = torch.compile(for_inductor(network) if isinstance(network, Network) else network, dynamic=False)
    try:
        run(*examples)
    except torch._dynamo.exc.BackendCompilerFailed as error:  # noqa: SLF001 - raised to users, but has no public name
        raise NotImplementedError("Inductor cannot compile it: " + " ".join(str(error).split())[:300]) from error
    return run, {}


MODES = {
    "eager": eager,
    "channels-last": in_channels_last,
    "torchscript": torchscript,
    "mkldnn": mkldnn,
    "compile": compiled,
}
