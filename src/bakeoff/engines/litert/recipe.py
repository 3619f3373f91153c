"""The signature of a .tflite file, with images in NHWC."""

from ai_edge_litert.interpreter import Interpreter, OpResolverType

arrays = [inputs[name] for name in INPUTS]
arrays = [np.ascontiguousarray(array.transpose(0, 2, 3, 1)) if array.ndim == 4 else array for array in arrays]
kernels = OpResolverType.AUTO if XNNPACK else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
interpreter = Interpreter(MODEL, num_threads=THREADS, experimental_op_resolver_type=kernels)
run = interpreter.get_signature_runner()
results = run(**{"input_{}".format(i): array for i, array in enumerate(arrays)})
outputs = [results["output_{}".format(i)] for i in range(len(OUTPUTS))]
outputs = [array.transpose(0, 3, 1, 2) if array.ndim == 4 else array for array in outputs]
