"""ONNX Runtime: the CPU provider, or another provider with the CPU's as its helper.

Threads: ``intra_op_num_threads`` for the CPU provider, the provider option ``num_of_threads`` for oneDNN's and
OpenVINO's, which have thread pools of their own.

Options: `provider`, the execution provider's name; `provider_options`, handed to it as they are. The knobs are those of
``SessionOptions``, or entries of its configuration, and are read back from the session.
"""

import json
import re
from collections import Counter

import onnxruntime as ort

CPU = "CPUExecutionProvider"
OPENVINO = "OpenVINOExecutionProvider"
PRECISION_OF = {"tensor(float)": "fp32", "tensor(float16)": "fp16", "tensor(bfloat16)": "bf16"}
LEVELS = {
    "none": "ORT_DISABLE_ALL",
    "basic": "ORT_ENABLE_BASIC",
    "extended": "ORT_ENABLE_EXTENDED",
    "all": "ORT_ENABLE_ALL",
}
ENTRIES = {
    "spin": ("session.intra_op.allow_spinning", True),
    "dynamic_block": ("session.dynamic_block_base", 0),
    "flush_denormals": ("session.set_denormal_as_zero", False),
}
"""knob -> its entry of the session's configuration, where it is a whole number as text; and its usual value"""
OF_OPENVINO = {
    "performance_hint": "PERFORMANCE_HINT",
    "streams": "NUM_STREAMS",
    "pinning": "ENABLE_CPU_PINNING",
    "flush_denormals": "CPU_DENORMALS_OPTIMIZATION",
}
"""knob -> OpenVINO's property"""
DEFAULT = "default"
"""the value that leaves it to OpenVINO"""
ATTRIBUTES = {"memory_arena": "enable_cpu_mem_arena", "memory_pattern": "enable_mem_pattern"}


class Engine:
    """One `InferenceSession`; inputs and outputs are numpy arrays as they are."""

    PRECISIONS = ("fp32",)

    def describe(self):
        build = ort.get_build_info() if hasattr(ort, "get_build_info") else ""
        return {"version": ort.__version__, "build": build, "providers": ort.get_available_providers()}

    def load(self, model, settings):
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
            "threads": int(of_provider.get("num_of_threads") or options.intra_op_num_threads) or None,
            "precision": of_provider.get("precision", "").lower() or self.precision_of_model(),
            "provider": assigned[0],
            "nodes": self.nodes_per_provider(),
            **(dict.fromkeys([*OF_OPENVINO, "shape"]) if provider == OPENVINO else knobs_of(options)),
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
        options.intra_op_num_threads = settings["threads"] or 0
        options.inter_op_num_threads = settings.get("inter_threads", 1)
        if options.inter_op_num_threads > 1:
            options.execution_mode = ort.ExecutionMode.ORT_PARALLEL
        level = LEVELS[settings.get("graph_optimization", "all")]
        options.graph_optimization_level = getattr(ort.GraphOptimizationLevel, level)
        options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
        for knob, (entry, usual) in ENTRIES.items():
            options.add_session_config_entry(entry, str(int(settings.get(knob, usual))))
        for knob, attribute in ATTRIBUTES.items():
            setattr(options, attribute, settings.get(knob, True))
        self.configure(options)
        return options

    def configure(self, options):
        """Hook for what one provider needs beyond the common session options."""

    def precision_of_model(self):
        """That of its floating-point inputs and outputs: the CPU provider computes in the model's own types."""
        types = [tensor.type for tensor in self.session.get_inputs() + self.session.get_outputs()]
        return next((PRECISION_OF[name] for name in types if name in PRECISION_OF), None)

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


def knobs_of(options):
    """The knobs as a session's options have them."""
    words = {name: word for word, name in LEVELS.items()}
    parallel = options.execution_mode == ort.ExecutionMode.ORT_PARALLEL
    return {
        "inter_threads": options.inter_op_num_threads if parallel else 1,
        "graph_optimization": words[options.graph_optimization_level.name],
        **{knob: type(usual)(int(options.get_session_config_entry(entry))) for knob, (entry, usual) in ENTRIES.items()},
        **{knob: getattr(options, attribute) for knob, attribute in ATTRIBUTES.items()},
    }


def lacking(error):
    """What ONNX Runtime says that it has not, with the operator; None if `error` says something else."""
    found = re.search(
        r"NOT_IMPLEMENTED : (.*)|onnxruntime::(\w+).*?([^.]*\bnot supported\b[^.]*)", str(error), re.DOTALL
    )
    if found is None:
        return None
    return "ONNX Runtime: " + " ".join(" ".join(filter(None, found.groups())).split())[:300]


def provider_options(model, provider, settings):
    """The provider's options, with the number of threads; OpenVINO's are its own."""
    options = dict(settings.get("provider_options", {}))
    if settings["threads"]:
        options["num_of_threads"] = str(settings["threads"])
    if provider == OPENVINO:
        options.update(for_openvino(model, settings))
    return options


def for_openvino(model, settings, **properties):
    """OpenVINO's knobs and `properties` as one JSON text, and the shapes of this load: ``input[1,3,224,224]``.

    It fails to load with a property that it does not know, and tells none back.
    """
    for knob, name in OF_OPENVINO.items():
        value = settings[knob]
        if value != DEFAULT:
            properties[name] = ["NO", "YES"][value] if isinstance(value, bool) else str(value).upper()
    shapes = ["{}[{}]".format(tensor["name"], ",".join(map(str, tensor["shape"]))) for tensor in model["inputs"]]
    options = {"load_config": json.dumps({"CPU": properties})}
    return dict(options, reshape_input=",".join(shapes)) if settings["shape"] == "static" else options
