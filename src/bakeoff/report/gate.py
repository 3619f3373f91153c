"""What a gate says: for people, for a pull request, for programs, and for CI systems that read JUnit's XML."""

import xml.etree.ElementTree as ET

from bakeoff.report import markup
from bakeoff.report.comparison import first, last, ratio, setting
from bakeoff.scorecards import Gate, GateOutcome, Method

_METHODS = {
    Method.PAIRED: "both raced in the same rounds",
    Method.CANARY: "compared through the canary",
    Method.NONE: "compared as they were measured, with no canary between them",
}
_HEADER = ["", "case", "throughput now / then", "remark"]
_RIGHT = (2,)


def to_text(gate: Gate, *, width: int = 100) -> str:
    """The answer first."""
    return _parts(gate, _answer(gate), markup.as_text(_HEADER, _rows(gate), width=width, right=_RIGHT))


def to_markdown(gate: Gate) -> str:
    """For a pull-request comment."""
    return _parts(gate, f"**{_answer(gate)}**", markup.as_markdown(_HEADER, _rows(gate), _RIGHT))


def to_junit(gate: Gate) -> str:
    """A test case for each case: failed if it is slower than it may be, skipped if that is undecided."""
    outcomes = [case.outcome for case in gate.cases]
    suite = ET.Element(
        "testsuite",
        name=f"bakeoff gate: {gate.run} against {gate.baseline}",
        tests=str(len(outcomes)),
        failures=str(outcomes.count(GateOutcome.FAIL)),
        skipped=str(outcomes.count(GateOutcome.UNDECIDED)),
        errors="0",
    )
    for case in gate.cases:
        element = ET.SubElement(suite, "testcase", classname=case.case.contender.name, name=setting(case.case))
        words = ", ".join(word for word in (ratio(case.ratio, *case.interval), case.reason) if word)
        if case.outcome is GateOutcome.FAIL:
            ET.SubElement(element, "failure", message=f"slower than it may be: {words}")
        elif case.outcome is GateOutcome.UNDECIDED:
            ET.SubElement(element, "skipped", message=f"undecided: {words}")
    ET.SubElement(suite, "system-out").text = _parts(gate, _answer(gate))
    suites = ET.Element("testsuites")
    suites.append(suite)
    ET.indent(suites)
    return ET.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def _parts(gate: Gate, answer: str, *table: str) -> str:
    return "\n\n".join([answer, *first(gate), *table, *last(gate)]) + "\n"


def _answer(gate: Gate) -> str:
    counts = {outcome: sum(case.outcome is outcome for case in gate.cases) for outcome in GateOutcome}
    margin = f"{gate.max_slowdown * 100:g}%"
    how = f"{gate.run} against {gate.baseline}, {_METHODS[gate.method]}"
    if gate.outcome is GateOutcome.FAIL:
        return f"FAIL: {_cases(counts[GateOutcome.FAIL])} slower by more than {margin} ({how})"
    if gate.outcome is GateOutcome.UNDECIDED:
        return f"UNDECIDED: whether {_cases(counts[GateOutcome.UNDECIDED])} slower by more than {margin} ({how})"
    return f"PASS: nothing is slower by more than {margin} ({how})"


def _cases(count: int) -> str:
    return f"{count} case{'s' * (count != 1)} {'is' if count == 1 else 'are'}"


def _rows(gate: Gate) -> list[list[str]]:
    return [
        [
            each.outcome,
            f"{each.case.contender.name}, {setting(each.case)}",
            ratio(each.ratio, *each.interval),
            each.reason,
        ]
        for each in gate.cases
    ]
