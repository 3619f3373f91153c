"""The commands that the documents show, and what they become in a test: the same, on a tiny network, in seconds."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [
    "README.md",
    *sorted(str(path.relative_to(ROOT).as_posix()) for path in (ROOT / "docs").glob("*/*.md")),
]
"""README.zh-CN.md shows the same commands: tests/unit/test_docs.py holds it to that"""

CANNOT_RUN = {
    r"git clone|cd bakeoff|python -m venv|\S*pip install": "the tests run what is installed already",
    r"make ": "this is one of the tests that make runs; the first does what the README's next command does",
    r"bakeoff study": "races the engines of 2019 for 45 minutes; tests/unit/report/study has its documents",
    r"bakeoff engines remove": "would take environments from other checkouts; tests/unit/environments has it",
    r"bakeoff models get|.*--weights trained": "downloads; tests/unit/models/test_download.py has it with a mirror",
    r"bakeoff engines (new|check|lock)|.*--engines mine|ok |skipped |every promise": "test_own_engine.py has the page",
    r"bakeoff run (.*\.pt2|shop\.nets)": "takes PyTorch; tests/contract/test_importers.py has the formats",
    r"bakeoff run .*--scenario": "takes LoadGen its time; tests/end_to_end/test_scenarios.py has it",
    r"bakeoff tune": "searches for minutes; test_tune.py has it on an engine whose knobs are known",
    r"bakeoff engines knobs|.*--set |bakeoff (run|compare|recipe) .*'\S*\[|(run|found) = .*settings=": (
        "turns a knob, and the engines that stand in have none; test_liars.py and test_tune.py turn some"
    ),
    r"bakeoff recipe": "the test's engines have no recipe; the contract suite runs every engine's",
    r"bakeoff (ship|verify)|openssl |docker |\S*python\S* (-m (venv|pip)|pack/)": "test_report.py ships a pack",
    r"createdb|pip config": "changes what is the user's own: a database server, pip's configuration",
}
"""how a command begins -> why no test runs it from here"""

SUBSTITUTES = (
    (r"\S*/bin/bakeoff", "bakeoff"),
    (r"\bresnet(18|50|101)\b|mobilenet-v2 squeezenet1\.1 vgg16 minilm", "resnet-tiny"),
    (r"--engines today\b", "--engines honest,delayed"),
    (r"\b(onnxruntime|installed)\b", "honest"),
    (r"\b(openvino|pytorch)\b", "delayed"),
    (r"--batch [\d,]+", "--batch 1"),
    (r" --(budget \w+|rounds \d+|quick)", ""),
    (r"\b(320|640)\b", "32"),
    (r"1x3x320x640", "1x3x32x32"),
    (r"(?<=resnet-tiny\", \").*(?=\"\.split)", "honest,delayed"),
    (r"quick=True", "rounds=2, profile=False, engines_dirs=['{engines}']"),
    (r"'?postgresql://bench@[^\s']*'?", "'{postgres}'"),
    (r"^bakeoff run(?!.* (resnet|\S*\.onnx))", "bakeoff run resnet-tiny"),
    (r"^(bakeoff run(?!.*--engines).*)", r"\1 --engines honest,delayed"),
    (r"^(bakeoff run(?!.*--batch).*)", r"\1 --batch 1"),
    (r"^(bakeoff run\b.*)", r"\1 --rounds 2 --no-profile"),
    (r"^(bakeoff gate .*--rerace.*)", r"\1 --budget 12s"),
    (r"^bakeoff selftest", "bakeoff selftest --engine honest --model resnet-tiny --budget 8s"),
    (r"^(bakeoff (run|resume|selftest|engines \w+|gate .*--rerace)\b.*)", r"\1 --engines-dir '{engines}'"),
)
"""pattern -> what stands in its place, in this order"""

EXIT_CODES = {
    r"bakeoff gate": {0, 1, 3},
    r"bakeoff selftest": {0, 1},
    r".*--strict": {0, 4},
}
"""how a command begins -> the codes that it may leave with; for all others 0: a busy machine may not be fit, or tell
nothing within seconds"""

BEFORE = {"docs/how-to/export.md": ("bakeoff run resnet18 --engines onnxruntime --quick",)}
"""what a page takes for done"""


@dataclass(frozen=True)
class Step:
    """A command, or with `python` a program, as a page shows it."""

    text: str
    python: bool = False

    @property
    def cannot_run(self) -> str | None:
        """Why it does not, if so."""
        shown = re.sub(r"^\S*/bin/bakeoff", "bakeoff", self.text)
        return next((why for beginning, why in CANNOT_RUN.items() if re.match(beginning, shown)), None)

    @property
    def codes(self) -> set[int]:
        """The exit codes it may have."""
        shown = re.sub(r"^\S*/bin/bakeoff", "bakeoff", self.text)
        return next((codes for beginning, codes in EXIT_CODES.items() if re.match(beginning, shown)), {0})

    def substituted(self, **values: str) -> str:
        """What is run instead."""
        text = re.sub(r"\s+#.*", "", self.text) if not self.python else self.text
        for pattern, replacement in SUBSTITUTES:
            text = re.sub(pattern, replacement, text)
        for name, value in values.items():
            text = text.replace(f"{{{name}}}", value)
        return text


def steps(page: str) -> Iterator[Step]:
    """The commands and Python programs of a page, in its order: indented blocks, and fenced ones of their languages."""
    text = (ROOT / page).read_text(encoding="utf-8")
    yield from map(Step, BEFORE.get(page, ()))
    for block in re.finditer(r"^```(\w*)[^\n]*\n(.*?)^```$|((?:^ {4}\S[^\n]*\n)+)", text, re.MULTILINE | re.DOTALL):
        language, fenced, indented = block.groups()
        if language == "python" and "class Engine" not in fenced:
            yield Step(fenced, python=True)
        elif indented or language in {"bash", "console", "sh"}:
            for line in (indented or fenced).replace("\\\n", " ").splitlines():
                if line.strip():
                    yield Step(line.strip().removeprefix("$ "))
