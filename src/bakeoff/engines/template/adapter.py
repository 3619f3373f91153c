"""NAME: networks as ONNX files.

A line that says YOURS is to be replaced, its comment with it. The docstring of bakeoff/worker/worker.py says what each
method must do; `bakeoff engines check` tries all of it.
"""

# YOURS: import your framework


class Engine:
    """One network, from `load` to `close`. Nothing here measures time, and `run` is all that is timed."""

    PRECISIONS = ("fp32",)

    def describe(self):
        return {"version": ""}  # YOURS: as your framework tells it, such as your_framework.__version__

    def load(self, model, settings):
        self.input_names = [tensor["name"] for tensor in model["inputs"]]
        self.output_names = [tensor["name"] for tensor in model["outputs"]]
        self.network = None  # YOURS: the ONNX file model["path"], opened for settings["threads"] threads
        threads = settings["threads"]  # YOURS: how many it uses, as your framework tells; None if it does not
        return {"threads": threads, "precision": "fp32"}

    def prepare(self, input_sets):
        self.feeds = [dict(zip(self.input_names, arrays)) for arrays in input_sets]

    def run(self, k):
        self.results = [self.feeds[k]]  # YOURS: one inference on that, a numpy array for each of self.output_names

    def outputs(self):
        return self.results

    def close(self):
        self.network = self.feeds = self.results = None
