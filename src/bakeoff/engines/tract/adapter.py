"""tract: the model read from ONNX, optimised for the shapes of one batch size.

Threads: tract works on the thread that calls it, whatever is asked for; its Python API has no knob. So one thread takes
effect, and a race at more says so beside its row.
"""

import re

import tract


class Engine:
    """One runnable; it takes copies of numpy arrays and gives new ones."""

    PRECISIONS = ("fp32",)

    def describe(self):
        return {"version": tract.version()}

    def load(self, model, settings):  # noqa: ARG002 - it has no knob, and takes one thread
        try:
            network = tract.onnx().load(model["path"])
            for i, tensor in enumerate(model["inputs"]):
                network.set_input_fact(i, fact(tensor))
            self.network = network.into_model().into_runnable()
        except tract.TractError as error:
            reason = refusal(str(error))
            if reason is None:
                raise
            raise NotImplementedError(reason) from error
        return {"threads": 1}

    def prepare(self, input_sets):
        self.sets = input_sets

    def run(self, k):
        self.results = [tensor.to_numpy() for tensor in self.network.run(self.sets[k])]

    def outputs(self):
        return self.results

    def close(self):
        self.network = self.sets = self.results = None


def refusal(message):
    """What tract says of the node that it makes nothing of, with what is beneath it; None if it names no node."""
    where, _, causes = message.partition("Caused by:")
    if not re.match(r"(Building|Translating|Failed analyse for) .*node", where.strip()):
        return None
    return "tract: " + " ".join((where + ": " + causes.partition("Stack backtrace:")[0]).split())[:300]


def fact(tensor):
    """A tensor's shape and type as tract writes them: ``1,3,224,224,f32``."""
    kind, bits = re.fullmatch(r"([a-z])[a-z]*(\d*)", tensor["dtype"]).groups()
    return ",".join([*map(str, tensor["shape"]), kind + bits if bits else tensor["dtype"]])
