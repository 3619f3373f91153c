"""Whether this pack is the one that was certified, and answers on this machine as its certificate says.

    python verify.py
    python verify.py --min-speed 100

Needs Python 3.8 or newer and what requirements.txt lists. Exit codes: 0 it is and does, 1 it is not or does not, 2 bad
usage. Until each file is what MANIFEST.sha256 says, nothing but the standard library is imported.
"""

from __future__ import annotations

import sys

if __name__ == "__main__" and not (sys.flags.isolated or getattr(sys.flags, "safe_path", False)):
    del sys.path[0]  # this folder, where a file that is in no manifest could stand for one of the standard library

import argparse
import hashlib
import importlib.metadata
import json
import re
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
MANIFEST = "MANIFEST.sha256"
SIGNATURE = "pack.sig"
CACHES = "__pycache__"
"""left out: what lies there is never read, see `main`"""
FEWEST_CALLS = 5


def changed(pack: Path) -> list[str]:
    """What differs between the files of `pack` and its manifest, a line each; none if nothing does."""
    try:
        lines = (pack / MANIFEST).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        return [f"{MANIFEST} cannot be read: {error}"]
    named = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    there = {
        path.relative_to(pack).as_posix(): path
        for path in sorted(pack.rglob("*"))
        if not path.is_dir() and CACHES not in path.parts and path not in {pack / MANIFEST, pack / SIGNATURE}
    }
    missing = [f"{name} is missing" for name in named if name not in there]
    odd = [f"{name} is not in the manifest" for name in there if name not in named]
    other = [f"{name} is not what it was" for name in there if name in named and sha256(there[name]) != named[name]]
    return missing + odd + other


def sha256(path: Path) -> str:
    """Of a file, hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for chunk in iter(lambda: file.read(1 << 20), b""):
            digest.update(chunk)
    return digest.hexdigest()


def unlike_packages(requirements: str) -> Iterator[str]:
    """Each package of requirements.txt that is here in another version, or not at all, in a line."""
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", requirements, re.MULTILINE):
        try:
            here = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            here = "not installed"
        if here != version:
            yield f"{name} is {here} here and was {version}"


def answers(model: Any, cases: Path) -> tuple[float, str]:
    """The worst error of the model over the known answers in `cases`, and "", or else what no number says."""
    from bakeoff.judge.case.output_error import error_of  # not before the manifest holds

    worst = 0.0
    for case in sorted(cases.iterdir()):
        inputs = {tensor["name"]: array_in(case / f"input_{i}.pb") for i, tensor in enumerate(model.inputs)}
        found = model.predict(**inputs)
        for i, tensor in enumerate(model.outputs):
            answer, axis = expected(case, i), tensor["batch_axis"]
            error, fault = error_of(samples_first(found[tensor["name"]], axis), samples_first(answer, axis))
            if fault:
                return worst, f"{case.name}: output {tensor['name']} {fault}"
            worst = max(worst, error)
    return worst, ""


def array_in(file: Path) -> Any:
    """The array of a TensorProto's file."""
    from bakeoff.ship.tensors import decode  # not before the manifest holds

    return decode(file.read_bytes())


def expected(case: Path, i: int) -> Any:
    """The known answer for output `i`, with what the race's judge had beside it: another integer, the terms' size."""
    from bakeoff.judge.case.output_error import BESIDE, beside  # not before the manifest holds

    answer = array_in(case / f"output_{i}.pb")
    files = {name: case / f"{name}_output_{i}.pb" for name in BESIDE}
    found = [(name, array_in(file)) for name, file in files.items() if file.exists()]
    return beside(answer, *found[0]) if found else answer


def samples_first(array: Any, axis: int | None) -> Any:
    """`array` with its samples along the first axis; as the only one where it has no batch axis."""
    return array[None] if axis is None else array.swapaxes(0, axis)


def speed(model: Any, seconds: float) -> float:
    """Samples a second by the median of calls for so many `seconds`, on what the model predicted last."""
    latencies: list[float] = []
    begin = time.perf_counter()
    while len(latencies) < FEWEST_CALLS or time.perf_counter() - begin < seconds:
        start = time.perf_counter()
        model.engine.run(0)
        latencies.append(time.perf_counter() - start)
    return float(model.batch_size / statistics.median(latencies))


def verified(min_speed: float | None, seconds: float) -> bool:
    """Whether all holds but the manifest, which is held already; says what it found line by line."""
    from bakeoff.machine.cpu import instruction_sets  # not before the manifest holds
    from bakeoff.ship.pack.run import Model

    certificate = json.loads((HERE / "certificate.json").read_text(encoding="utf-8"))
    certified = certificate["predicate"]["bakeoff"]
    machine, error, rate = certified["machine"], certified["error"], certified["speed"]
    for line in unlike_packages((HERE / "requirements.txt").read_text(encoding="utf-8")):
        print(f"note: {line}")
    lacking = [name for name in machine["instruction_sets"] if name not in instruction_sets()]
    print(f"instruction sets: {', '.join(lacking) + ' not here' if lacking else 'as certified'}")
    model = Model()
    print(f"threads: {model.threads or 'as many as the framework takes'}, certified with {certified['threads']}")
    worst, fault = answers(model, HERE / "cases")
    right = not fault and worst <= error["limit"]
    print(
        f"answers: {fault or f'error {worst:.1e}'}, limit {error['limit']:.1e}, certified {error['measured']:.1e}: "
        f"{'right' if right else 'WRONG'}"
    )
    if not seconds:
        return right
    here = speed(model, seconds)
    low, high = rate["ci95"] or (rate["samples_per_s"],) * 2
    there = f"{rate['samples_per_s']:.4g} [{low:.4g}-{high:.4g}] on {machine['cpu']}"
    print(f"speed: {here:.4g} samples/s here, certified {there}")
    fast = min_speed is None or here >= min_speed
    if not fast:
        print(f"speed: below the {min_speed:g} samples/s of --min-speed: TOO SLOW")
    return right and fast


def main() -> int:
    """The command line; its exit code."""
    parser = argparse.ArgumentParser(description="Check this pack against its manifest and its certificate.")
    parser.add_argument("--min-speed", type=float, metavar="N", help="exit with code 1 below so many samples/s")
    parser.add_argument("--seconds", type=float, default=2.0, help="how long to time (default: 2; 0: not at all)")
    given = parser.parse_args()
    if given.min_speed is not None and not given.seconds:
        parser.error("--min-speed needs --seconds above 0")
    differences = changed(HERE)
    print("manifest: " + ("; ".join(differences) + ": CHANGED" if differences else "every file is as it was packed"))
    if differences:
        return 1
    with tempfile.TemporaryDirectory() as caches:
        sys.pycache_prefix = caches  # compiled code beside the files is in no manifest
        sys.path.insert(0, str(HERE))
        return 0 if verified(given.min_speed, given.seconds) else 1


if __name__ == "__main__":
    sys.exit(main())
