"""One infer request in one stream; its host memory is shared both ways."""

import openvino as ov

settings = {"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1}
settings.update(INFERENCE_NUM_THREADS=THREADS, INFERENCE_PRECISION_HINT="f32")
core = ov.Core()
network = core.read_model(MODEL)
network.reshape(SHAPES)
request = core.compile_model(network, "CPU", settings).create_infer_request()
request.infer(inputs, share_inputs=True, share_outputs=True)
outputs = [request.get_tensor(name).data for name in OUTPUTS]
