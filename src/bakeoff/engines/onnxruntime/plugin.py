"""ONNX Runtime with OpenVINO as a plug-in: a library of its own, registered with whatever release is installed.

OpenVINO's settings go in as one JSON text, ``load_config``: threads (``INFERENCE_NUM_THREADS``), knobs, and f32,
since on processors with bf16 instructions OpenVINO would otherwise choose bf16. The plug-in offers a device both by
itself and behind OpenVINO's own choosing (``ov_meta_device``); a session takes exactly one. It offers none where the
processor is not Intel's.
"""

import adapter
import onnxruntime as ort
import onnxruntime_ep_openvino as plugin

ort.register_execution_provider_library("openvino", plugin.get_library_path())


class Engine(adapter.Engine):
    """ONNX Runtime's session with the plug-in's CPU device before the CPU provider."""

    def describe(self):
        versions = {device.ep_metadata.get("version") for device in cpu_devices()}
        return dict(super().describe(), plugin=", ".join(versions))

    def load(self, model, settings):
        if not cpu_devices():
            vendor = next(device.device.vendor for device in ort.get_ep_devices() if device.ep_name == adapter.CPU)
            raise NotImplementedError("OpenVINO's plug-in offers no CPU device on a processor by {}".format(vendor))
        return super().load(model, settings)

    def open_session(self, model, _provider, settings):
        threads = {"INFERENCE_NUM_THREADS": str(settings["threads"])} if settings["threads"] else {}
        options = self.session_options(settings)
        options.add_provider_for_devices(
            cpu_devices(), adapter.for_openvino(model, settings, INFERENCE_PRECISION_HINT="f32", **threads)
        )
        return ort.InferenceSession(model["path"], options)


def cpu_devices():
    """The plug-in's device for the CPU by itself, in a list; an empty one where there is none."""
    return [
        device
        for device in ort.get_ep_devices()
        if device.ep_name == plugin.get_ep_name() and device.ep_metadata["ov_device"] == "CPU"
    ]
