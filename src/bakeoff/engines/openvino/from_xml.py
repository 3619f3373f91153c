"""Says what an OpenVINO IR takes and gives: ``python from_xml.py SOURCE TARGET``.

TARGET becomes a folder with signature.json. There is no model.onnx in it: no maintained tool writes ONNX from IR.
"""

import json
import os
import sys

import openvino as ov


def bring(source, target):
    try:
        model = ov.Core().read_model(source)
    except RuntimeError as error:
        sys.exit("OpenVINO cannot read it: " + (str(error).strip().splitlines() or ["no reason given"])[-1])
    sides = {"inputs": [described(port) for port in model.inputs], "outputs": [described(p) for p in model.outputs]}
    os.mkdir(target)
    with open(os.path.join(target, "signature.json"), "w", encoding="utf-8") as f:
        json.dump(dict(sides, reason="nothing converts OpenVINO IR to ONNX"), f)


def described(port):
    if port.partial_shape.rank.is_dynamic:
        sys.exit("{} does not even say how many axes it has".format(port.any_name))
    axes = [
        size.get_length() if size.is_static else "batch" if not i else "{}_{}".format(port.any_name, i)
        for i, size in enumerate(port.partial_shape)
    ]
    return {"name": port.any_name, "dtype": port.element_type.to_dtype().name, "axes": axes}


if __name__ == "__main__":
    bring(*sys.argv[1:])
