"""The canary: a fixed matrix product and a fixed convolution in numpy, the same whatever is raced beside it.

It is no contender. What it shows from round to round, and from run to run, is the machine: the product lives off the
BLAS and the vector units, the convolution's patches off the caches and memory. It takes three inputs: a matrix to be
multiplied with itself, an image, and the kernels to convolve it with (see `bakeoff.race.heats.canary`).

Threads: those that numpy's BLAS was told of by the environment, of the canary one; copying the patches takes one.
"""

import numpy as np


class Engine:
    def describe(self):
        return {"version": np.__version__}

    def load(self, model, settings):  # noqa: ARG002 - its work is no model
        return {"threads": settings["threads"]}

    def prepare(self, input_sets):
        self.input_sets = input_sets

    def run(self, k):
        matrix, image, kernel = self.input_sets[k]
        self.results = [matrix @ matrix, convolve(image, kernel)]

    def outputs(self):
        return self.results

    def close(self):
        self.input_sets = self.results = None


def convolve(image, kernel):
    """(C, H, W) with (O, C, 3, 3), unpadded -> (O, H - 2, W - 2): one matrix product over the patches."""
    channels, height, width = image.shape
    patches = np.empty((channels, 3, 3, height - 2, width - 2), image.dtype)
    for i in range(3):
        for j in range(3):
            patches[:, i, j] = image[:, i : i + height - 2, j : j + width - 2]
    products = kernel.reshape(len(kernel), -1) @ patches.reshape(channels * 9, -1)
    return products.reshape(len(kernel), height - 2, width - 2)
