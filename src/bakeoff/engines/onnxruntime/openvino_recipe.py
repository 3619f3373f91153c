"""One session on OpenVINO's provider, by default with the static shapes of one batch size."""

import json

import onnxruntime as ort

turned = {"PERFORMANCE_HINT": PERFORMANCE_HINT, "NUM_STREAMS": STREAMS, "ENABLE_CPU_PINNING": PINNING}
turned["CPU_DENORMALS_OPTIMIZATION"] = FLUSH_DENORMALS
words = {"True": "YES", "False": "NO"}
config = {name: words.get(str(value), str(value).upper()) for name, value in turned.items() if value != "default"}
settings = dict(PROVIDER_OPTIONS, num_of_threads=str(THREADS), load_config=json.dumps({"CPU": config}))
if SHAPE == "static":
    settings["reshape_input"] = ",".join("{}{}".format(*pair).replace(" ", "") for pair in SHAPES.items())
options = ort.SessionOptions()
options.intra_op_num_threads, options.inter_op_num_threads = THREADS, 1
session = ort.InferenceSession(MODEL, options, providers=[(PROVIDER, settings), "CPUExecutionProvider"])
outputs = session.run(OUTPUTS, inputs)
