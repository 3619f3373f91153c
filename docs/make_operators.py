"""Write docs/operators.md, which engine has which operator, from what `make conformance` found."""

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

TARGET = Path(__file__).with_name("operators.md")
INTRODUCTION = """# Which engine has which operator

Made by `make conformance` from ONNX {onnx}'s own node tests (`onnx.backend.test`). Each is tried as it is, and with all
its inputs but the first as constants, as exporters have weights. A cell tells how many of an operator's cases come out
right and how many there are; the others are refused by name, or are faults of the engine itself, after a plus sign,
which `tests/contract/faults.toml` lists. An empty cell: all are refused. Many cases ask for what no network has, such
as axes that are computed, or 16-bit integers; so what is not right everywhere may still be right where it matters."""


def page(found: Mapping[str, Mapping[str, Any]], onnx_version: str) -> str:
    """The whole page; `found` has for each engine its version and its cases: operators, name and result."""
    engines = list(found)
    counts: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for engine, report in found.items():
        for operators, _, result in report["cases"]:
            counts[" and ".join(operators)][engine][result] += 1
    rows = [[operator, *(cell(counts[operator][engine]) for engine in engines)] for operator in sorted(counts)]
    totals = [cell(Counter(result for *_, result in found[engine]["cases"])) for engine in engines]
    versions = ["version", *(found[engine]["version"].partition("-")[0] for engine in engines)]
    return "\n".join(
        [
            INTRODUCTION.format(onnx=onnx_version),
            "",
            *table(["operator", *engines], [versions, ["all", *totals], *rows]),
        ]
    )


def cell(results: Counter[str]) -> str:
    """How many are right, of how many; with the faults of the engine itself, if there are any."""
    faults = results["wrong"] + results["crashed"]
    if not results["right"] and not faults:
        return ""
    return f"{results['right']}/{results.total()}" + (f" +{faults}" if faults else "")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of Markdown."""
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)] + [""]


if __name__ == "__main__":
    import onnx

    results = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    TARGET.write_text(page(results, onnx.__version__), encoding="utf-8")
