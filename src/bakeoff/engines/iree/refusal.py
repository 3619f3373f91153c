"""Why IREE's compiler wrote nothing, out of what it says."""

import re

UNKNOWN = re.compile(r'name = "onnx\.(\w+)"')
ERROR = re.compile(r"error: (.*)\n?(.*)")
"""An error, and the line of the network that it points at."""
OPERATOR = re.compile(r'"onnx\.(\w+)"')
CODE = re.compile(r"Error code: (-?\d+)")


def reason_in(text):
    """The first error in `text`, the message of a CompilerToolError, in one line with the operator it stands at."""
    unknown, error, code = (pattern.search(text) for pattern in (UNKNOWN, ERROR, CODE))
    if unknown:
        return "iree-compile does not know the operator " + unknown[1]
    if not error:
        return "iree-compile names no error; its exit code was {}".format(code[1] if code else "not told")
    operator = OPERATOR.search(error[2])
    place = " at " + operator[1] if operator else ""
    return "iree-compile stops{}: {}".format(place, error[1][:300])
