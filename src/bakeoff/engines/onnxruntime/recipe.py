"""One session on the CPU provider, opened as adapter.py opens it."""

import onnxruntime as ort

options = ort.SessionOptions()
options.intra_op_num_threads, options.inter_op_num_threads = THREADS, INTER_THREADS
if INTER_THREADS > 1:
    options.execution_mode = ort.ExecutionMode.ORT_PARALLEL
level = "ORT_DISABLE_ALL" if GRAPH_OPTIMIZATION == "none" else "ORT_ENABLE_" + GRAPH_OPTIMIZATION.upper()
options.graph_optimization_level = getattr(ort.GraphOptimizationLevel, level)
options.enable_cpu_mem_arena, options.enable_mem_pattern = MEMORY_ARENA, MEMORY_PATTERN
options.add_session_config_entry("session.intra_op.allow_spinning", str(int(SPIN)))
options.add_session_config_entry("session.dynamic_block_base", str(DYNAMIC_BLOCK))
options.add_session_config_entry("session.set_denormal_as_zero", str(int(FLUSH_DENORMALS)))
session = ort.InferenceSession(MODEL, options, providers=[PROVIDER])
outputs = session.run(OUTPUTS, inputs)
