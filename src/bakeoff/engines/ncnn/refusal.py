"""Why pnnx wrote nothing, out of what it printed until then."""

import re
import signal

COLOUR = re.compile(r"\x1b\[[\d;]*m")
PASS = re.compile(r"#{3,} *(.+)")
KILLED = 9
"""the signal that Linux sends when memory is out"""
STEP = re.compile(r"(\w+) \.\.\. ")
"""A step within a pass; what it took follows once it is done."""

TELLING = re.compile("fail|error|cannot|not |unsupported|unknown", re.IGNORECASE)
"""Tables of figures and file names are no reason."""


def refusal(said, code):
    """What to raise: NotImplementedError once pnnx has read the file; a file that it cannot read is no lack of pnnx's,
    nor is memory that it did not get.
    """
    begun = PASS.search(said) and code != -KILLED
    return (NotImplementedError if begun else RuntimeError)(reason_in(said, code))


def reason_in(said, code):
    """One line: how pnnx ended, in which of its passes, and what it said last if it said anything about that."""
    passed, where, last = "", "before its first pass", ""
    for line in COLOUR.sub("", said).splitlines():
        begun, step = PASS.match(line), STEP.match(line)
        if begun:
            passed = where = "in its " + begun[1].strip()
            last = ""
        elif step and passed:
            where, last = "{}, {}".format(passed, step[1]), ""
        elif line.strip():
            last = line.strip()
    telling = last if TELLING.search(last) else ""
    reason = "pnnx cannot convert this model: it {} {}".format(ended(code), where)
    return "{}: {}".format(reason, telling[:300]) if telling else reason


def ended(code):
    """An exit code in words."""
    if code >= 0:
        return "ended with code {}".format(code)
    try:
        return "crashed ({})".format(signal.Signals(-code).name)
    except ValueError:
        return "crashed (signal {})".format(-code)
