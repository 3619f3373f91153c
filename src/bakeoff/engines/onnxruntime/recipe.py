"""One session on the CPU provider, opened as adapter.py opens it."""

import onnxruntime as ort

options = ort.SessionOptions()
options.intra_op_num_threads, options.inter_op_num_threads = THREADS, 1
session = ort.InferenceSession(MODEL, options, providers=[PROVIDER])
outputs = session.run(OUTPUTS, inputs)
