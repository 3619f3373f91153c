"""One session on OpenVINO's provider, with the static shapes of one batch size."""

import onnxruntime as ort

shapes = ",".join("{}{}".format(name, shape).replace(" ", "") for name, shape in SHAPES.items())
settings = dict(PROVIDER_OPTIONS, num_of_threads=str(THREADS), reshape_input=shapes)
options = ort.SessionOptions()
options.intra_op_num_threads, options.inter_op_num_threads = THREADS, 1
session = ort.InferenceSession(MODEL, options, providers=[(PROVIDER, settings), "CPUExecutionProvider"])
outputs = session.run(OUTPUTS, inputs)
