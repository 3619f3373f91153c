"""Before anything is measured: is the machine fit for it?"""

from collections.abc import Callable, Iterable

from bakeoff.errors import NotFitError
from bakeoff.machine.audit import audit
from bakeoff.records import Finding
from bakeoff.report import wording


def examine(note: Callable[[str], None], *, strict: bool) -> tuple[Finding, ...]:
    """Audit the machine and tell what was found; with `strict`, raise `NotFitError` if that is anything at all."""
    findings = audit()
    lines = [wording.finding(each) for each in findings]
    if strict and lines:
        raise NotFitError("\n  ".join(["--strict: the machine is not fit to measure", *lines]))
    for line in lines:
        note(f"caution: {line}")
    return findings


def together(before: Iterable[Finding], now: Iterable[Finding]) -> tuple[Finding, ...]:
    """Of several sittings: the last finding on each topic."""
    return tuple({finding.topic: finding for finding in (*before, *now)}.values())
