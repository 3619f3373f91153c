"""Models: what they are, and how a user wants them raced."""

from collections.abc import Mapping

from bakeoff.records.base import Record


class TensorSpec(Record, frozen=True):
    """A model's input or output.

    `shape` is in the model's own order, with None on the one axis where the batch size goes, if there is one. An
    output's size that only a run tells is -1.
    """

    name: str
    dtype: str
    """a numpy name: "float32", "int64" """
    shape: tuple[int | None, ...]
    below: int | None = None
    """integer inputs are drawn from 0 to below - 1; None where the model does not say"""

    @property
    def batch_axis(self) -> int | None:
        """Which axis counts samples; None if the tensor has no batch axis."""
        return self.shape.index(None) if None in self.shape else None

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """One sample's shape: without the batch axis."""
        return tuple(size for size in self.shape if size is not None)

    def at(self, batch_size: int) -> tuple[int, ...]:
        """The shape with the batch size filled in."""
        return tuple(batch_size if size is None else size for size in self.shape)


FLOAT64 = "float64"
"""what the reference is called that is computed in it"""
PRECISIONS = ("fp32", "fp16", "bf16")
"""the floating-point precisions that outputs are classified by, the finest first"""


class Tolerances(Record, frozen=True):
    """Up to which parity error a model's outputs count as computed in each precision. Beyond all, they are wrong."""

    fp32: float
    fp16: float
    bf16: float
    rounding: Mapping[str, float] = {}
    """precision -> the error that rounding to it made, from which the rest follows; empty where the tolerances are a
    fixed number, since nothing could be calibrated"""


UNCALIBRATED = Tolerances(fp32=1e-4, fp16=1e-4, bf16=1e-4)
"""Where there is no float64 reference, and in runs from before there was calibration"""


class Shaping(Record, frozen=True):
    """How a user wants a model of their own raced: what its file leaves open."""

    shapes: Mapping[str, tuple[int, ...]] = {}
    """by input name: its whole shape, with 1 on the batch axis; by the name of an axis: its size alone"""
    batch_axis: tuple[str, ...] = ()
    """"1" for every input, "input=1" for one, the name of an axis, or "none"; empty: found in the model"""
    data: str = ""
    """absolute path of an .npz of real inputs; empty: inputs are drawn"""


class ModelRecord(Record, frozen=True):
    """A network with its weights and signature, named by its content digest."""

    name: str
    digest: str
    """sha256 of the source ONNX file (and its external data), hex"""
    weights: str
    """"seeded", "trained" or the checkpoint's file name"""
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    classes: int | None = None
    """how many classes the first output scores; None where top-1 means nothing"""
    parameters: int = 0
    flops: int = 0
    """multiply-adds x 2 of one sample, counted over convolutions and matrix products; 0 if unknown"""
    tolerances: Tolerances = UNCALIBRATED
    fixed_batch: int | None = None
    """the only batch size it can be raced at: the model has no batch axis; None: any"""
    quantized: bool = False
    """it computes on quantized values: float64 means nothing"""
    denormals: Mapping[str, int] | None = None
    """how many denormal numbers each of its float32 weights holds, of those that hold any; None in records from before
    they were counted"""
    data_digest: str = ""
    """sha256 of the user's own inputs, hex; empty if inputs are drawn"""
    data_samples: int = 0
    """how many of them are raced"""
    data_given: int = 0
    """how many there are in the user's file"""
    pictures: int = 0
    """how many labelled pictures its accuracy is measured on"""
    pictures_digest: str = ""
    """sha256 of them and of their labels, hex; empty if there are none"""
    source: str = ""
    """the format of the user's file, "pt2"; empty where that is ONNX and for built-in networks"""
    source_digest: str = ""
    """sha256 of the user's file, hex"""
    unconverted: str = ""
    """why there is no ONNX of it, so that only engines that take `source` itself can run it; empty where there is"""
    reference: str = FLOAT64
    """what its outputs are judged against; anything but float64 in words: "ONNX Runtime without optimisations",
    "openvino alone" """

    @property
    def unjudged(self) -> bool:
        """Whether one engine's answers are all that its answers can be held against, which judges nobody."""
        return self.reference.endswith(" alone")
