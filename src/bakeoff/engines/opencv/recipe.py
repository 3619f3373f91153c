"""One network on OpenCV's own backend."""

import cv2

cv2.setNumThreads(THREADS)
network = cv2.dnn.readNetFromONNX(MODEL, getattr(cv2.dnn, "ENGINE_" + GRAPH_ENGINE.upper()))
network.enableWinograd(WINOGRAD)
network.enableFusion(FUSION)
network.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
network.setPreferableTarget(cv2.dnn.DNN_TARGET_CPU)
for name in INPUTS:
    network.setInput(inputs[name], name)
outputs = network.forward(OUTPUTS)
