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
    PRECISIONS = ("fp32",)

    def describe(self):
        return {
            "version": torch.__version__,
            "mkldnn": MKLDNN,
            "mkl": torch.backends.mkl.is_available(),
        }

    def load(self, model, settings):
        turned = {knob: turn(settings[knob]) for knob, turn in SWITCHES.items() if knob in settings}
        if settings["threads"]:
            torch.set_num_threads(settings["threads"])
        if hasattr(torch, "set_float32_matmul_precision"):
            torch.set_float32_matmul_precision("highest")  # "medium" would let oneDNN round to bf16
        self.layout = LAYOUTS[settings.get("layout", "contiguous")]
        examples = tuple(
            self.layout(torch.zeros(i["shape"], dtype=getattr(torch, i["dtype"]))) for i in model["inputs"]
        )
        network = network_of(model)
        if self.layout is channels_last:
            network = network.to(memory_format=torch.channels_last)
        with without_gradients():
            self.network, facts = MODES[settings["mode"]](network, examples, settings)
        told = {knob: settings[knob] for knob in ("mode", "layout") if knob in settings}
        return dict(turned, threads=torch.get_num_threads(), precision=precision(), **told, **facts)

    def prepare(self, input_sets):
        self.sets = [[self.layout(torch.from_numpy(array)) for array in arrays] for arrays in input_sets]

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


def channels_last(tensor):
    """The same NCHW tensor, its channels stored innermost."""
    return tensor.contiguous(memory_format=torch.channels_last) if tensor.dim() == 4 else tensor  # noqa: PLR2004


LAYOUTS = {"contiguous": torch.Tensor.contiguous, "channels_last": channels_last}


# Switches of the process: from what is asked to what took effect.


def onednn(on):
    torch._C._set_mkldnn_enabled(on)  # noqa: SLF001 - what torch.backends.mkldnn.flags calls
    return torch._C._get_mkldnn_enabled()  # noqa: SLF001


def flush_denormals(on):
    """Of this thread, and so of all that it starts later. PyTorch tells whether it could, not what is so."""
    if not torch.set_flush_denormal(on):
        raise NotImplementedError("PyTorch cannot flush denormals on this processor")


SWITCHES = {"onednn": onednn, "flush_denormals": flush_denormals}


# The modes: from a network and examples of its inputs to what is called with inputs, and what there is to tell.


def eager(network, _examples, _settings):
    return network, {}


def torchscript(network, examples, _settings):
    script = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(network, examples)))
    for _ in range(2):  # the executor watches the first call and compiles in the second
        script(*examples)
    return script, {}


def mkldnn(network, examples, settings):
    """The network with weights in MKL-DNN's own layout. The inputs are dense, so their conversion is part of a run."""
    from torch.utils.mkldnn import to_mkldnn

    if (
        settings.get("layout") == "channels_last"
        or not settings.get("onednn", True)
        or not isinstance(network, Network)
    ):
        raise NotImplementedError("MKL-DNN's tensors are made of this engine's own layers, contiguous, with oneDNN on")
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


def compiled(network, examples, settings):
    """Inductor. Compiled here and not at the first inference."""
    compiler = os.environ.get("CXX") or {"darwin": "clang++", "win32": "cl"}.get(sys.platform, "g++")
    if not shutil.which(compiler):
        raise NotImplementedError("torch.compile needs a C++ compiler, and there is no {} here".format(compiler))
    # By default its cache is in a folder for temporary files, and its compiler processes outlive the compilation.
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", os.path.expanduser(os.path.join("~", ".cache", "torchinductor")))
    os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")
    import torch._inductor.config
    from inductor import for_inductor

    inductor = torch._inductor.config  # noqa: SLF001 - as options of torch.compile they do not reach all passes
    inductor.freezing, inductor.max_autotune = settings["freezing"], settings["max_autotune"]
    torch._dynamo.reset()  # noqa: SLF001 - else it gives up, in silence, after a few networks in one process
    run = torch.compile(for_inductor(network) if isinstance(network, Network) else network, dynamic=False)
    try:
        run(*examples)
    except torch._dynamo.exc.BackendCompilerFailed as error:  # noqa: SLF001 - raised to users, but has no public name
        raise NotImplementedError("Inductor cannot compile it: " + " ".join(str(error).split())[:300]) from error
    return run, {"freezing": inductor.freezing, "max_autotune": inductor.max_autotune}


MODES = {
    "eager": eager,
    "torchscript": torchscript,
    "mkldnn": mkldnn,
    "compile": compiled,
}
