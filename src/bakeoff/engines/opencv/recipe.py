"""One network on OpenCV's own backend."""

import cv2

cv2.setNumThreads(THREADS)
network = cv2.dnn.readNetFromONNX(MODEL)
network.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
network.setPreferableTarget(cv2.dnn.DNN_TARGET_CPU)
for name in INPUTS:
    network.setInput(inputs[name], name)
outputs = network.forward(OUTPUTS)
