"""One infer request of a compiled model; its host memory is shared both ways."""

import openvino as ov

turned = {"PERFORMANCE_HINT": PERFORMANCE_HINT.upper(), "NUM_STREAMS": STREAMS, "ENABLE_CPU_PINNING": PINNING}
turned.update(SCHEDULING_CORE_TYPE=CORES.upper(), ENABLE_HYPER_THREADING=HYPER_THREADING)
turned.update(CPU_DENORMALS_OPTIMIZATION=FLUSH_DENORMALS, TBB_PARTITIONER=PARTITIONER.upper())
settings = {name: value for name, value in turned.items() if value != "default"}
settings.update(INFERENCE_NUM_THREADS=THREADS, INFERENCE_PRECISION_HINT="f32")
core = ov.Core()
network = core.read_model(MODEL)
if SHAPE == "static":
    network.reshape(SHAPES)
request = core.compile_model(network, "CPU", settings).create_infer_request()
request.infer(inputs, share_inputs=True, share_outputs=True)
outputs = [request.get_tensor(name).data for name in OUTPUTS]
