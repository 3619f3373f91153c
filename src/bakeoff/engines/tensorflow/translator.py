"""Builds a Keras model from a plain graph. Good for Keras 2.2.4, `tf.keras` of TensorFlow 1 and today's Keras 3.

A plain graph is NCHW, Keras' layers on a CPU are NHWC. So tensors of four axes stand in either: what an image layer
makes is NHWC, what is reshaped or transposed stands as the graph has it, and arithmetic leaves things where they are.
The builder knows of each tensor how it stands and turns it where a node needs it otherwise; wherever a node's meaning
hangs on the order of axes (flattening, axis numbers, constants), it is put right.
"""

import arithmetic as a
import axes
import images
from builder import Builder, read


def translate(folder, keras, batch_size):
    """The plain graph in `folder` as a `keras.Model` with NHWC inputs and outputs, its weights set.

    `keras` is the module to build with; `batch_size` None leaves the batch open. Raises NotImplementedError naming
    every operator that has no translation.
    """
    graph, weights = read(folder)
    lacking = sorted({node["op"] for node in graph["nodes"]} - set(LAYERS))
    if lacking:
        raise NotImplementedError("no Keras translation for: " + ", ".join(lacking))
    return Builder(graph, weights, keras).build(batch_size, LAYERS)


LAYERS = {
    "Abs": a.plain("abs"),
    "Acos": a.plain("arccos"),
    "Acosh": a.plain("arccosh"),
    "Add": a.add,
    "And": a.elementwise("logical_and"),
    "ArgMax": a.arg("argmax"),
    "ArgMin": a.arg("argmin"),
    "Asin": a.plain("arcsin"),
    "Asinh": a.plain("arcsinh"),
    "Atan": a.plain("arctan"),
    "Atanh": a.plain("arctanh"),
    "AveragePool": images.average_pool,
    "BatchNormalization": images.batch_normalization,
    "BitwiseAnd": a.elementwise("bitwise_and"),
    "BitwiseNot": a.plain("bitwise_not"),
    "BitwiseOr": a.elementwise("bitwise_or"),
    "BitwiseXor": a.elementwise("bitwise_xor"),
    "Cast": a.cast,
    "Ceil": a.plain("ceil"),
    "Clip": a.clip,
    "Concat": axes.concat,
    "Conv": images.conv,
    "ConvTranspose": images.conv_transpose,
    "Cos": a.plain("cos"),
    "Cosh": a.plain("cosh"),
    "CumSum": a.cum_sum,
    "Div": a.elementwise("divide"),
    "Einsum": a.einsum,
    "Elu": a.elu,
    "Equal": a.elementwise("equal"),
    "Erf": a.plain("erf"),
    "Exp": a.plain("exp"),
    "Expand": axes.expand,
    "Flatten": axes.flatten,
    "Floor": a.plain("floor"),
    "Gather": axes.gather,
    "GatherElements": axes.gather_elements,
    "Gelu": a.gelu,
    "GlobalAveragePool": images.global_average_pool,
    "GlobalMaxPool": images.global_max_pool,
    "Greater": a.elementwise("greater"),
    "GreaterOrEqual": a.elementwise("greater_equal"),
    "GroupNormalization": a.group_normalization,
    "HardSigmoid": a.hard_sigmoid,
    "HardSwish": a.hard_swish,
    "Identity": lambda build, node, _: build.input(node),
    "IntegerDiv": a.divide_integers,
    "IsNaN": a.plain("isnan"),
    "LayerNormalization": a.layer_normalization,
    "LeakyRelu": a.leaky_relu,
    "Less": a.elementwise("less"),
    "LessOrEqual": a.elementwise("less_equal"),
    "Linear": a.linear,
    "Log": a.plain("log"),
    "MatMul": a.matmul,
    "Max": a.elementwise("maximum"),
    "MaxPool": images.max_pool,
    "Min": a.elementwise("minimum"),
    "Mod": a.modulo,
    "Mul": a.arithmetic("Multiply", "multiply"),
    "Neg": a.plain("negative"),
    "Not": a.plain("logical_not"),
    "Or": a.elementwise("logical_or"),
    "PRelu": a.prelu,
    "Pad": axes.pad,
    "Pow": a.elementwise("power"),
    "Reciprocal": a.plain("reciprocal"),
    "ReduceMax": a.reduction("max"),
    "ReduceMean": images.reduce_mean,
    "ReduceMin": a.reduction("min"),
    "ReduceProd": a.reduction("prod"),
    "ReduceSum": a.reduction("sum"),
    "Relu": a.activation("relu"),
    "Reshape": axes.reshape,
    "Resize": images.resize,
    "Round": a.plain("round"),
    "ScatterRows": axes.scatter_rows,
    "Sigmoid": a.activation("sigmoid"),
    "Sign": a.plain("sign"),
    "Sin": a.plain("sin"),
    "Sinh": a.plain("sinh"),
    "Slice": axes.take_slice,
    "Softmax": a.softmax,
    "Softplus": a.activation("softplus"),
    "Split": axes.split,
    "Sqrt": a.plain("sqrt"),
    "Sub": a.arithmetic("Subtract", "subtract"),
    "Tan": a.plain("tan"),
    "Tanh": a.activation("tanh"),
    "Tile": axes.tile,
    "TopK": axes.top_k,
    "Transpose": axes.transpose,
    "Where": a.elementwise("where"),
    "Xor": a.elementwise("logical_xor"),
}
"""ONNX operator -> function from the builder, a node and its attributes to a Keras tensor, or a list of them."""
