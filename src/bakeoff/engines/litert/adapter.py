"""LiteRT, once TensorFlow Lite: its interpreter with XNNPACK, on a .tflite file for the shapes of one batch size.

Threads: ``num_threads`` of the interpreter, which XNNPACK gets as well; the API does not tell it back. The file is what
``tensorflow/to_tflite.py`` writes, inputs and outputs by number in one signature, those with four axes in NHWC; or a
user's own.
"""

import ai_edge_litert
import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

IMAGE_AXES = 4


class Engine:
    """One interpreter; it takes and gives copies of numpy arrays."""

    PRECISIONS = ("fp32",)

    def describe(self):
        return {"version": ai_edge_litert.__version__}

    def load(self, model, settings):
        kernels = OpResolverType.AUTO if settings["xnnpack"] else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        self.interpreter = Interpreter(
            model["path"], num_threads=settings["threads"], experimental_op_resolver_type=kernels
        )
        if model["format"] == "own-tflite":
            self.there = self.back = tuple  # its user's own layout, whatever that is
            self.inputs, self.results_at = own_indices(self.interpreter, model)
        else:
            self.there, self.back = nhwc, nchw
            self.inputs, self.results_at = indices(self.interpreter)
        for index, tensor in zip(self.inputs, model["inputs"]):
            self.interpreter.resize_tensor_input(index, self.there(tensor["shape"]))
        self.interpreter.allocate_tensors()
        return {"threads": settings["threads"], "xnnpack": None}  # the interpreter does not tell

    def prepare(self, input_sets):
        self.sets = [
            [np.asarray(x.transpose(self.there(range(x.ndim))), order="C") for x in arrays] for arrays in input_sets
        ]

    def run(self, k):
        for index, array in zip(self.inputs, self.sets[k]):
            self.interpreter.set_tensor(index, array)
        self.interpreter.invoke()
        self.results = [self.interpreter.get_tensor(index) for index in self.results_at]

    def outputs(self):
        return [result.transpose(self.back(range(result.ndim))) for result in self.results]

    def close(self):
        self.interpreter = self.sets = self.results = None


def indices(interpreter):
    """Where the inputs and outputs are among the interpreter's tensors, in the model's own order."""
    signature = interpreter.get_signature_runner()
    details = {"input": signature.get_input_details(), "output": signature.get_output_details()}
    return [[of[f"{kind}_{i}"]["index"] for i in range(len(of))] for kind, of in details.items()]


def own_indices(interpreter, model):
    """The same of a user's own file, by the names of the tensors, or else in the file's order."""
    details = {"inputs": interpreter.get_input_details(), "outputs": interpreter.get_output_details()}
    return [positions(details[side], [tensor["name"] for tensor in model[side]]) for side in ("inputs", "outputs")]


def positions(details, names):
    by_name = {tensor["name"]: tensor["index"] for tensor in details}
    if set(names) == set(by_name):
        return [by_name[name] for name in names]
    return [tensor["index"] for tensor in details]


def nchw(axes):
    """The opposite of `nhwc`."""
    axes = list(axes)
    return [axes[0], axes[3], axes[1], axes[2]] if len(axes) == IMAGE_AXES else axes


def nhwc(axes):
    """What belongs to the axes of an NCHW tensor, in the order of NHWC; of other ranks as it is."""
    axes = list(axes)
    return [axes[0], axes[2], axes[3], axes[1]] if len(axes) == IMAGE_AXES else axes
