"""Which engines answer to which of the study's rows."""

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


class Against(Record, frozen=True):
    """An engine to be compared with another one."""

    engine: str
    base: str
    published: tuple[str, str] | None = None
    """the study's rows, by their names in its file, whose ratio this one stands beside"""


class Framework(Record, frozen=True):
    """What the paragraph on a framework compares."""

    title: str
    comparisons: tuple[Against, ...]


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

FRAMEWORKS = (
    Framework(
        title="Keras",
        comparisons=(
            Against(engine="keras", base="keras-2019"),
            Against(engine="keras-jax", base="keras"),
            Against(engine="keras-torch", base="keras"),
            Against(engine="keras-openvino", base="keras"),
        ),
    ),
    Framework(
        title="TensorFlow",
        comparisons=(
            Against(engine="tensorflow", base="tensorflow-2019"),
            Against(engine="tensorflow-mkl-2019", base="tensorflow-2019"),
            Against(engine="tensorflow-ngraph-2019", base="tensorflow-2019"),
            Against(engine="tensorflow-xla", base="tensorflow"),
        ),
    ),
    Framework(
        title="PyTorch",
        comparisons=(
            Against(engine="pytorch", base="pytorch-2019"),
            Against(engine="pytorch-mkldnn-2019", base="pytorch-2019"),
            Against(engine="pytorch-mkldnn", base="pytorch-mkldnn-2019"),
            Against(engine="pytorch-channels-last", base="pytorch"),
            Against(engine="pytorch-torchscript", base="pytorch"),
            Against(engine="pytorch-mkldnn", base="pytorch"),
            Against(engine="pytorch-compile", base="pytorch"),
        ),
    ),
    Framework(title="Caffe2", comparisons=(Against(engine="caffe2", base="caffe2-2019"),)),
    Framework(
        title="ONNX Runtime",
        comparisons=(
            Against(engine="onnxruntime", base="onnxruntime-2019"),
            Against(engine="onnxruntime-onednn", base="onnxruntime", published=_OVER_MKLDNN),
            Against(engine="onnxruntime-openvino", base="onnxruntime", published=_OVER_NGRAPH),
        ),
    ),
    Framework(
        title="nGraph, OpenVINO",
        comparisons=(
            Against(engine="ngraph-2019", base="onnxruntime-2019", published=_OVER_NGRAPH),
            Against(engine="openvino-2021", base="ngraph-2019"),
            Against(engine="openvino", base="openvino-2021"),
        ),
    ),
    Framework(title="MXNet", comparisons=(Against(engine="mxnet", base="onnxruntime-2019"),)),
)


def engines_of_the_study() -> set[str]:
    """Every engine that has a place in the tables."""
    return {engine for row in ROWS for engine in (row.then, row.today) if engine}


def title_of(published: str) -> str:
    """The title of a row of the study, from its name in the study's file."""
    return next(row.title for row in ROWS if row.published == published)
