"""Records as earlier versions wrote them, brought into today's form: in stores, spools, baselines and results.json.

All of these take and give what JSON and MessagePack hold, and leave today's form as it is.
"""

from typing import Any


def contender(engine: str, threads: int, precision: str, device: str) -> dict[str, Any]:
    """A contender of before there were any: an engine's name, as a run's plan had it for all of its engines."""
    settings = [["threads", threads]]
    return {"name": engine, "engine": engine, "settings": settings, "precision": precision, "device": device}


def case(found: dict[str, Any]) -> dict[str, Any]:
    """A case that had an engine, threads, a precision and a device of its own."""
    if "contender" in found:
        return found
    about = (found["engine"], found["threads"], found.get("precision", "fp32"), found.get("device", "cpu"))
    return {"contender": contender(*about), "model": found["model"], "batch_size": found["batch_size"]}


def plan(found: dict[str, Any]) -> dict[str, Any]:
    """A plan that had engines by name, and one precision and device for all of them."""
    if "contenders" in found:
        return found
    about = (found["threads"], found.get("precision", "fp32"), found.get("device", "cpu"))
    rest = {key: value for key, value in found.items() if key not in {"engines", "precision", "device"}}
    return {**rest, "contenders": [contender(engine, *about) for engine in found["engines"]]}
