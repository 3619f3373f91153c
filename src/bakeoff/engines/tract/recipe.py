"""One runnable, optimised for the shapes of one batch size."""

import tract

arrays = [inputs[name] for name in INPUTS]
network = tract.onnx().load(MODEL)
for i, array in enumerate(arrays):
    network.set_input_fact(i, "{},{}{}".format(",".join(map(str, array.shape)), array.dtype.kind, array.itemsize * 8))
outputs = [tensor.to_numpy() for tensor in network.into_model().into_runnable().run(arrays)]
