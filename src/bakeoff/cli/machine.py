"""`bakeoff machine`: what this machine is."""

from collections.abc import Mapping
from typing import Any

import click


@click.command
@click.option("--json", "as_json", is_flag=True, help="Print the fingerprint as JSON, as results.json holds it.")
def machine(as_json: bool) -> None:
    """Say what this machine is, and what of it this process may use.

    \b
    Examples:
      bakeoff machine
      bakeoff machine --json
    """
    import msgspec

    from bakeoff.machine.fingerprint import fingerprint
    from bakeoff.report.machine_line import machine_line

    facts = fingerprint()
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(facts), indent=2).decode())
        return
    click.echo(machine_line(facts))
    click.echo("\n".join(_lines(facts)))


def _lines(facts: Mapping[str, Any]) -> list[str]:
    width = max(map(len, facts))
    return [f"  {key.replace('_', ' '):<{width}}  {_told(key, value)}" for key, value in facts.items()]


def _told(key: str, value: Any) -> str:
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
