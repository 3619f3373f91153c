"""What becomes of the audit's findings."""

import pytest

from bakeoff.errors import ExitCode, NotFitError
from bakeoff.race import machine_audit
from bakeoff.records import Finding

pytestmark = pytest.mark.unit

BATTERY = Finding(topic="battery", found="in use", advice="plug it in")
LOAD = Finding(topic="load", found="9.9", advice="wait")


@pytest.fixture
def findings(monkeypatch: pytest.MonkeyPatch) -> list[Finding]:
    found: list[Finding] = []
    monkeypatch.setattr(machine_audit, "audit", lambda: tuple(found))
    return found


def test_findings_are_told_and_the_race_goes_on(findings: list[Finding]) -> None:
    findings.append(BATTERY)
    told: list[str] = []
    assert machine_audit.examine(told.append, strict=False) == (BATTERY,)
    assert told == ["caution: battery: in use; plug it in"]


def test_strict_names_every_finding_with_its_advice_and_stops(findings: list[Finding]) -> None:
    assert machine_audit.examine(print, strict=True) == ()
    findings += [BATTERY, LOAD]
    with pytest.raises(NotFitError) as caught:
        machine_audit.examine(print, strict=True)
    assert caught.value.exit_code == ExitCode.NOT_FIT == 4
    assert str(caught.value).splitlines()[1:] == ["  battery: in use; plug it in", "  load: 9.9; wait"]


def test_of_several_sittings_the_last_word_on_each_topic_is_kept() -> None:
    later = Finding(topic="load", found="1.0", advice="wait")
    assert machine_audit.together([LOAD, BATTERY], [later]) == (later, BATTERY)
