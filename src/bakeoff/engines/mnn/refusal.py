"""Why MNN's converter wrote nothing, out of what it printed."""

import re

LACKING = re.compile(r"These Op Not Support: (.*)")
STAMP = re.compile(r"^\[[\d:]+\] \S*:\d+: ")


UNREADABLE = "check your file format"
KILLED = 9
"""the signal that Linux sends when memory is out"""


def refusal(said, code):
    """What to raise: NotImplementedError, but for a file that cannot be read and for memory that it did not get."""
    ours = UNREADABLE in said or code == -KILLED
    return (RuntimeError if ours else NotImplementedError)(reason_in(said, code))


def reason_in(said, code):
    """One line: the operators that it lacks, else what it said last of any use."""
    lacking = LACKING.search(said)
    if lacking:
        names = [name.split("::")[-1] for name in re.findall(r"[\w:]+", lacking[1])]
        return "MNN's converter lacks " + ", ".join(names)
    lines = [STAMP.sub("", line).strip() for line in said.splitlines()]
    telling = [line for line in lines if line and line != "Converted Failed!"]
    how = "ended with {}".format(code) if code else "wrote nothing"
    return "MNN's converter cannot convert this model: it {}{}".format(how, ": " + telling[-1][:300] if telling else "")
