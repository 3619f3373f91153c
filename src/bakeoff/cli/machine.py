"""`bakeoff machine`: what this machine is."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from bakeoff.records import Finding


@click.command
@click.option("--audit", "audited", is_flag=True, help="Say what of its present state may spoil a measurement.")
@click.option("--json", "as_json", is_flag=True, help="Print the fingerprint as JSON, as results.json holds it.")
def machine(audited: bool, as_json: bool) -> None:
    """Say what this machine is, what of it this process may use, and whether it is fit to measure now.

    Every run begins with the audit; with --strict, one that finds anything ends the run.

    \b
    Examples:
      bakeoff machine
      bakeoff machine --audit
      bakeoff machine --audit --json | jq '.audit[] | .topic'
    """
    import msgspec

    from bakeoff.machine.audit import audit
    from bakeoff.machine.fingerprint import fingerprint
    from bakeoff.report.machine_line import machine_line

    facts = fingerprint()
    findings = audit() if audited else None
    if as_json:
        document = facts if findings is None else {**facts, "audit": findings}
        click.echo(msgspec.json.format(msgspec.json.encode(document), indent=2).decode())
        return
    click.echo(machine_line(facts))
    click.echo("\n".join(_lines(facts)))
    if findings is not None:
        click.echo("\n".join(_finding_lines(findings)))


def _finding_lines(findings: Sequence[Finding]) -> list[str]:
    from bakeoff.report import wording

    if not findings:
        return ["fit to measure: the audit found nothing"]
    return ["what may spoil a measurement:", *(f"  {wording.finding(each)}" for each in findings)]


def _lines(facts: Mapping[str, Any]) -> list[str]:
    width = max(map(len, facts))
    return [f"  {key.replace('_', ' '):<{width}}  {_fact(key, value)}" for key, value in facts.items()]


def _fact(key: str, value: Any) -> str:
    if value is None:
        return "no limit" if key in ("cpu_quota", "memory_limit_bytes") else "unknown"
    if key.endswith("_bytes"):
        return f"{value / 1e9:.1f} GB"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {size}" for name, size in value.items()) or "unknown"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return str(value)
