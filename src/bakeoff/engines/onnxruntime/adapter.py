"""ONNX Runtime: the CPU provider, or another provider with the CPU's as its helper.

Threads: ``intra_op_num_threads`` for the CPU provider, the provider option ``num_of_threads`` for oneDNN's and
OpenVINO's, which have thread pools of their own. Operators run one after another (``ORT_SEQUENTIAL``,
``inter_op_num_threads`` 1) with every graph optimisation on. The threads spin while they wait, ONNX Runtime's default:
fastest alone; `spin` false switches that off (``session.intra_op.allow_spinning``).

Options: `provider`, the execution provider's name; `provider_options`, handed to it as they are;
`graph_optimization`, the level's name if it is another.
"""

import re
from collections import Counter

import onnxruntime as ort

CPU = "CPUExecutionProvider"
OPENVINO = "OpenVINOExecutionProvider"
PRECISIONS = {"tensor(float)": "fp32", "tensor(float16)": "fp16", "tensor(bfloat16)": "bf16"}


class Engine:
    """One `InferenceSession`; inputs and outputs are numpy arrays as they are."""

    def describe(self):
        build = ort.get_build_info() if hasattr(ort, "get_build_info") else ""
        return {"version": ort.__version__, "build": build, "providers": ort.get_available_providers()}

    def load(self, model, settings):
        if settings["precision"] != "fp32":
            raise NotImplementedError("ONNX Runtime runs a model in the precision it has: fp32")
        provider = settings.get("provider", CPU)
        if provider not in ort.get_available_providers():
            raise NotImplementedError("this build of ONNX Runtime has no {}".format(provider))
        try:
            self.session = self.open_session(model, provider, settings)
        except Exception as error:  # of classes that ONNX Runtime has no public names for
            reason = lacking(error)
            if reason is None:
                raise
            raise NotImplementedError(reason) from error
        assigned = self.session.get_providers()
        if assigned[0] != provider:
            # By default ONNX Runtime answers a provider's failure by quietly running on the CPU's.
            raise RuntimeError("{} failed, ONNX Runtime fell back to {}".format(provider, assigned[0]))
        self.output_names = [output["name"] for output in model["outputs"]]
        self.input_names = [tensor["name"] for tensor in model["inputs"]]
        options = self.session.get_session_options()
        of_provider = self.session.get_provider_options()[provider]
        return {
            "threads": int(of_provider.get("num_of_threads") or options.intra_op_num_threads),
            "precision": of_provider.get("precision", "").lower() or self.precision_of_model(),
            "provider": assigned[0],
            "nodes": self.nodes_per_provider(),
            "inter_op_threads": options.inter_op_num_threads,
            "graph_optimization": options.graph_optimization_level.name,
            "execution_mode": options.execution_mode.name,
        }

    def open_session(self, model, provider, settings):
        """The session for `model` on `provider`, with the CPU provider for what that one leaves."""
        options = self.session_options(settings)
        providers = [CPU]
        if provider != CPU:
            providers.insert(0, (provider, provider_options(model, provider, settings)))
        return ort.InferenceSession(model["path"], options, providers=providers, enable_fallback=0)

    def session_options(self, settings):
        options = ort.SessionOptions()
        options.intra_op_num_threads = settings["threads"]
        options.inter_op_num_threads = 1
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        level = settings.get("graph_optimization", "ORT_ENABLE_ALL")
        options.graph_optimization_level = getattr(ort.GraphOptimizationLevel, level)
        options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
        if not settings.get("spin", True):
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.configure(options)
        return options

    def configure(self, options):
        """Hook for what one provider needs beyond the common session options."""

    def precision_of_model(self):
        """That of its floating-point inputs and outputs: the CPU provider computes in the model's own types."""
        types = [tensor.type for tensor in self.session.get_inputs() + self.session.get_outputs()]
        return next((PRECISIONS[name] for name in types if name in PRECISIONS), None)

    def nodes_per_provider(self):
        """How many of the model's operators each provider took over when the graph was divided."""
        nodes = Counter()
        for subgraph in self.session.get_provider_graph_assignment_info():
            nodes[subgraph.ep_name] += len(subgraph.get_nodes())
        return dict(nodes)

    def prepare(self, input_sets):
        self.feeds = [dict(zip(self.input_names, arrays)) for arrays in input_sets]

    def run(self, k):
        self.results = self.session.run(self.output_names, self.feeds[k])

    def outputs(self):
        return self.results

    def close(self):
        self.session = self.feeds = self.results = None


def lacking(error):
    """What ONNX Runtime says that it has not, with the operator; None if `error` says something else."""
    found = re.search(
        r"NOT_IMPLEMENTED : (.*)|onnxruntime::(\w+).*?([^.]*\bnot supported\b[^.]*)", str(error), re.DOTALL
    )
    if found is None:
        return None
    return "ONNX Runtime: " + " ".join(" ".join(filter(None, found.groups())).split())[:300]


def provider_options(model, provider, settings):
    """The provider's options, with the number of threads; for OpenVINO also the static shapes of this load."""
    options = dict(settings.get("provider_options", {}), num_of_threads=str(settings["threads"]))
    if provider == OPENVINO:
        options["reshape_input"] = static_shapes(model)
    return options


def static_shapes(model):
    """The shapes of this load, as OpenVINO's provider takes them: ``input[1,3,224,224]``."""
    return ",".join("{}[{}]".format(tensor["name"], ",".join(map(str, tensor["shape"]))) for tensor in model["inputs"])
