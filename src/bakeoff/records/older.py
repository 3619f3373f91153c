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


def snapshot(found: dict[str, Any]) -> dict[str, Any]:
    """An engine as it was kept when its folder's files and its lock were apart, and its spec in fields of its own."""
    if "spec" in found:
        return found
    home = found["framework"]
    files, environment = _kept(found, home)
    converter = found.get("converter")
    if converter:
        its_files, its_environment = _kept(converter, "converter")
        files |= its_files
        script = f"converter/{converter['script']}"
        converter = {"script": script, "environment": its_environment, "reads": converter["reads"]}
    same = ("name", "title", "framework", "release", "league", "requirement", "options", "env")
    spec = {name: found[name] for name in same} | {
        "adapter": f"{home}/{found['adapter']}",
        "environment": environment,
        "model": {**found["model"], "converter": converter},
        "recipe": f"{home}/{found['recipe']}" if found.get("recipe") else None,
        "takes": found.get("takes", ()),
    }
    return {"spec": spec, "files": files}


def _kept(found: dict[str, Any], home: str) -> tuple[dict[str, str], dict[str, Any]]:
    """The files below `home`, the lock among them, and the environment."""
    lock = f"locks/{found['environment']}.lock"
    files = {f"{home}/{path}": text for path, text in found["files"].items()}
    environment = {name: found[name] for name in ("kind", "python", "requirements", "suite")}
    return files | {lock: found["lock"]}, environment | {"name": found["environment"], "lock": lock}
