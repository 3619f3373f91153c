"""Which engines answer to which of the study's rows."""

from typing import NamedTuple

from bakeoff.records import Record


class Row(Record, frozen=True):
    """A row of the document's tables: one framework, or one mode of it, in both releases."""

    title: str
    published: str | None = None
    """its name in the study's file; None if the study had no such row"""
    then: str | None = None
    """the engine of release 2019"""
    today: str | None = None
    lost: bool = False
    """the study's row can be rerun by nobody: no binary of it was ever published"""
    stands_in_for: str | None = None
    """the title of the lost row that this one stands beside, never merged with it"""


class Against(NamedTuple):
    """An engine to be compared with another one."""

    engine: str
    base: str
    published: tuple[str, str] | None = None
    """the study's rows, by their names in its file, whose ratio this one stands beside"""


MKLDNN, NGRAPH = "ONNX Runtime + MKL-DNN", "ONNX Runtime + nGraph"

ROWS = (
    Row(title="Keras", published="keras", then="keras-2019", today="keras"),
    Row(title="TensorFlow", published="tensorflow", then="tensorflow-2019", today="tensorflow"),
    Row(title="PyTorch", published="pytorch", then="pytorch-2019", today="pytorch"),
    Row(title="Caffe2", published="caffe2", then="caffe2-2019", today="caffe2"),
    Row(title="ONNX Runtime", published="onnxruntime", then="onnxruntime-2019", today="onnxruntime"),
    Row(title=MKLDNN, published="onnxruntime-mkldnn", lost=True),
    Row(title=NGRAPH, published="onnxruntime-ngraph", lost=True),
    # What stands in for the lost rows, or was wished for.
    Row(title="nGraph", then="ngraph-2019", stands_in_for=NGRAPH),
    Row(title="OpenVINO", then="openvino-2021", today="openvino", stands_in_for=NGRAPH),
    Row(title="ONNX Runtime + oneDNN", today="onnxruntime-onednn", stands_in_for=MKLDNN),
    Row(title="ONNX Runtime + OpenVINO", today="onnxruntime-openvino", stands_in_for=NGRAPH),
    Row(title="TensorFlow, MKL-DNN build", then="tensorflow-mkl-2019"),
    Row(title="TensorFlow + nGraph", then="tensorflow-ngraph-2019"),
    Row(title="PyTorch, MKL-DNN tensors", then="pytorch-mkldnn-2019", today="pytorch-mkldnn"),
    Row(title="Caffe2, MKL's AVX2 kernels", then="caffe2-mkl-avx2-2019", today="caffe2-mkl-avx2"),
    Row(title="MXNet", then="mxnet"),
    # Today's modes of the study's frameworks.
    Row(title="PyTorch, channels last", today="pytorch-channels-last"),
    Row(title="PyTorch, TorchScript", today="pytorch-torchscript"),
    Row(title="PyTorch, torch.compile", today="pytorch-compile"),
    Row(title="TensorFlow, XLA", today="tensorflow-xla"),
    Row(title="Keras on JAX", today="keras-jax"),
    Row(title="Keras on PyTorch", today="keras-torch"),
    Row(title="Keras on OpenVINO", today="keras-openvino"),
)

_OVER_NGRAPH = ("onnxruntime-ngraph", "onnxruntime")
_OVER_MKLDNN = ("onnxruntime-mkldnn", "onnxruntime")
FRAMEWORKS = {
    "Keras": (
        Against("keras", "keras-2019"),
        Against("keras-jax", "keras"),
        Against("keras-torch", "keras"),
        Against("keras-openvino", "keras"),
    ),
    "TensorFlow": (
        Against("tensorflow", "tensorflow-2019"),
        Against("tensorflow-mkl-2019", "tensorflow-2019"),
        Against("tensorflow-ngraph-2019", "tensorflow-2019"),
        Against("tensorflow-xla", "tensorflow"),
    ),
    "PyTorch": (
        Against("pytorch", "pytorch-2019"),
        Against("pytorch-mkldnn-2019", "pytorch-2019"),
        Against("pytorch-mkldnn", "pytorch-mkldnn-2019"),
        Against("pytorch-channels-last", "pytorch"),
        Against("pytorch-torchscript", "pytorch"),
        Against("pytorch-mkldnn", "pytorch"),
        Against("pytorch-compile", "pytorch"),
    ),
    "Caffe2": (
        Against("caffe2", "caffe2-2019"),
        Against("caffe2-mkl-avx2-2019", "caffe2-2019"),
        Against("caffe2-mkl-avx2", "caffe2"),
    ),
    "ONNX Runtime": (
        Against("onnxruntime", "onnxruntime-2019"),
        Against("onnxruntime-onednn", "onnxruntime", _OVER_MKLDNN),
        Against("onnxruntime-openvino", "onnxruntime", _OVER_NGRAPH),
    ),
    "nGraph, OpenVINO": (
        Against("ngraph-2019", "onnxruntime-2019", _OVER_NGRAPH),
        Against("openvino-2021", "ngraph-2019"),
        Against("openvino", "openvino-2021"),
    ),
    "MXNet": (Against("mxnet", "onnxruntime-2019"),),
}
"""title -> what the paragraph on it compares"""


def engines_of_the_study() -> set[str]:
    """Every engine that has a place in the tables."""
    return {engine for row in ROWS for engine in (row.then, row.today) if engine}


def title_of(published: str) -> str:
    """The title of a row of the study, from its name in the study's file."""
    return next(row.title for row in ROWS if row.published == published)
