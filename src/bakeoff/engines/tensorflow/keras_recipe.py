"""The network as a Keras model, built for one batch size, images in NHWC."""

import keras

sys.path.insert(0, ENGINE)
from layout import to_nchw, to_nhwc
from threads import use_threads
from translator import translate  # bakeoff's network of Keras layers: put your own model in its place

use_threads(THREADS, INTER_THREADS)
network = translate(MODEL, keras, BATCH)
arrays = [to_nhwc(inputs[name]) for name in INPUTS]
results = network.predict_on_batch(arrays[0] if len(arrays) == 1 else arrays)
outputs = [to_nchw(result) for result in (results if isinstance(results, (list, tuple)) else [results])]
