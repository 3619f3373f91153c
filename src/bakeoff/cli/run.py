"""`bakeoff run`: the main job."""

from pathlib import Path
from typing import Any

import click

from bakeoff.cli.params import (
    BatchSizes,
    Duration,
    Latency,
    Names,
    Percent,
    as_request,
    engines_dir_option,
    exclude_option,
    factory_options,
    output_option,
    set_option,
    shaping_options,
    store_option,
    strict_option,
    tag_option,
    threads_option,
)

RELEASES = click.Choice(["today", "2019", "all"])
SCENARIOS = click.Choice(["latency", "offline", "server"])


@click.command
@click.argument("models", nargs=-1, metavar="[MODEL]...")
@click.option(
    "--engines",
    type=Names(),
    default=(),
    help="Names, frameworks, globs, or groups: study, today, 2019, all, installed, more, and others.  [default: study]",
)
@exclude_option
@click.option("--release", type=RELEASES, help="Only engines of this release.  [default: today, if no engine is named]")
@shaping_options
@factory_options
@click.option("--batch", "batch_sizes", type=BatchSizes(), default=(), help="Batch sizes.  [default: 1,2,4,8]")
@threads_option
@set_option
@click.option("--weights", default="seeded", show_default=True, help="seeded, trained, or a checkpoint's path.")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Labelled pictures, for accuracy beside speed: a folder per class, or files called NAME_LABEL.jpg.",
)
@click.option("--rounds", type=click.IntRange(min=1), help="At most so many rounds.  [default: what the budget holds]")
@click.option("--budget", "budget_s", type=Duration(), help="Time for the whole race once installed.  [default: 15m]")
@click.option(
    "--indifference",
    type=Percent(),
    default="2%",
    show_default=True,
    metavar="PERCENT",
    help="A difference that you would not act on: within it, contenders are equivalent.",
)
@click.option(
    "--target-ci",
    type=Percent(),
    metavar="PERCENT",
    help="Contenders race until their interval is this narrow, to each side.  [default: the indifference]",
)
@click.option("--quick", is_flag=True, help="A first table within 4 minutes: one burst a case, few rounds.")
@click.option(
    "--profile/--no-profile",
    default=None,
    help="A long trial of each case, for percentiles and slow drift.  [default: --profile, unless --quick]",
)
@click.option(
    "--scenario",
    type=SCENARIOS,
    default="latency",
    show_default=True,
    help="latency: one query after another. offline: all at once. server: at random, within a bound.",
)
@click.option(
    "--latency-bound",
    "latency_bound_s",
    type=Latency(),
    help="server: what 99% of the latencies must stay within, like 50ms.  [default: 4 times a single stream's]",
)
@click.option(
    "--timeout", "timeout_s", type=Duration(), default=300.0, help="For each answer of a worker.  [default: 5m]"
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the inputs and of every random order.")
@strict_option
@click.option("--json", "as_json", is_flag=True, help="Print results.json instead of the table.")
@tag_option
@output_option
@store_option
@engines_dir_option
def run(
    as_json: bool,
    output: Path,
    store_url: str | None,
    **asked: Any,
) -> None:
    """Race engines on MODELs (default: resnet18 resnet50) and print who is how fast.

    A MODEL is a built-in network (`bakeoff models list`), the path of a model file (ONNX, .pt2, .keras, SavedModel,
    .tflite, OpenVINO IR; `bakeoff models show` tells what it leaves open), or package.module:factory, your own function
    that returns a torch.nn.Module and example inputs. Environments that are missing are built first. Every trial is
    stored as it ends: Ctrl-C keeps what was measured, and `bakeoff resume` goes on with it.

    \b
    Examples:
      bakeoff run
      bakeoff run resnet18 --engines onnxruntime,pytorch --batch 1,8 --quick
      bakeoff run resnet50 --engines 'onnxruntime*' --threads 1 --rounds 5
      bakeoff run resnet50 --engines onnxruntime,openvino --set onnxruntime.spin=true,false --threads 1,2
      bakeoff run resnet101 --budget 30m --output ~/races
      bakeoff run ./model.onnx --shape input=1x3x320x640
      bakeoff run ./model.onnx --input data.npz --engines onnxruntime,openvino
      bakeoff run resnet18 --engines onnxruntime,openvino --scenario server --latency-bound 50ms
      bakeoff run efficientnet-lite0 --weights trained --data ./pictures --engines installed
      bakeoff run shop.nets:detector --python .venv/bin/python
    """
    from bakeoff.cli.racing import raced, report_outcome

    report_outcome(raced(as_request(**asked), output, store_url), as_json=as_json)
