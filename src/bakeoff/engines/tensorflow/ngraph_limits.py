"""Where nGraph's MKL-DNN ends the whole process instead of running a network.

On AMD processors with AVX-512, which came after it, it weighs Winograd against direct convolution by counting cores in
a way that only Intel's processors answer, and exits ("bad err=45 in Xbyak::Error"). By trial that is so for kernels
above 1x1 with more than eight input channels, and for transposed ones above 1x1.
"""

import json
import os

import numpy as np

CPUINFO = "/proc/cpuinfo"
CONVOLUTION_RANK = 4
CONVOLUTIONS = {"Conv": 8, "ConvTranspose": 0}
"""How large the second axis of its weight may be."""


def refuse_what_ends_the_process(plain_graph):
    """Raises `NotImplementedError` for a network that this processor would not survive."""
    if is_amd_with_avx512() and has_fatal_convolution(plain_graph):
        raise NotImplementedError("nGraph's MKL-DNN ends the process on AMD processors with AVX-512")


def is_amd_with_avx512():
    if not os.path.exists(CPUINFO):
        return False
    with open(CPUINFO) as f:
        text = f.read()
    return "AuthenticAMD" in text and "avx512f" in text


def has_fatal_convolution(plain_graph):
    with open(os.path.join(plain_graph, "graph.json")) as f:
        nodes = json.load(f)["nodes"]
    with np.load(os.path.join(plain_graph, "weights.npz"), allow_pickle=False) as weights:
        shapes = [(node["op"], weights[node["inputs"][1]].shape) for node in nodes if node["op"] in CONVOLUTIONS]
    return any(
        len(shape) == CONVOLUTION_RANK and shape[1] > CONVOLUTIONS[op] and max(shape[2:]) > 1 for op, shape in shapes
    )
