"""`bakeoff tune`: with which settings."""

from pathlib import Path
from typing import Any

import click

from bakeoff.cli.params import (
    Duration,
    Latency,
    Memory,
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

OBJECTIVES = click.Choice(["latency", "throughput"])


@click.command
@click.argument("model")
@click.option(
    "--engines",
    type=Names(),
    default=(),
    help="Whose settings, named as for `bakeoff run`.  [default: those of the default race that have knobs]",
)
@exclude_option
@click.option(
    "--objective",
    type=OBJECTIVES,
    default="latency",
    show_default=True,
    help="latency: one query after another. throughput: all at once, over several instances.",
)
@click.option("--batch", type=click.IntRange(min=1), help="The batch size.  [default: 1]")
@threads_option
@set_option
@click.option("--max-memory", "memory_mb", type=Memory(), help="What a worker may hold at its peak, like 500MB.")
@click.option("--max-start", "start_s", type=Duration(), help="From a fresh process to its first answer, like 2s.")
@click.option("--latency-bound", "latency_s", type=Latency(), help="What the mean latency may be, like 50ms.")
@click.option(
    "--budget", "budget_s", type=Duration(), help="Time for search and confirmation once installed.  [default: 30m]"
)
@click.option("--rounds", type=click.IntRange(min=2), help="At most so many in the confirmation.")
@click.option(
    "--indifference",
    type=Percent(),
    default="2%",
    show_default=True,
    metavar="PERCENT",
    help="A gain that you would not act on.",
)
@click.option("--weights", default="seeded", show_default=True, help="seeded, trained, or a checkpoint's path.")
@shaping_options
@factory_options
@click.option(
    "--timeout", "timeout_s", type=Duration(), default=300.0, help="For each answer of a worker.  [default: 5m]"
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the inputs, random orders and proposals.")
@strict_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of the tables.")
@tag_option
@output_option
@store_option
@engines_dir_option
def tune(
    model: str,
    objective: str,
    batch: int | None,
    memory_mb: float | None,
    start_s: float | None,
    latency_s: float | None,
    as_json: bool,
    output: Path,
    store_url: str | None,
    **asked: Any,
) -> None:
    """Search the settings of engines on MODEL, and say which are faster than the default.

    The space is each engine with every combination of its knobs' values (`bakeoff engines knobs`) and with all, half
    and one of the CPUs. What --set names of an engine is all that is searched of it. Up to 60 points race whole, and
    the beaten are dropped; of more, Optuna proposes some (pip install 'bakeoff[tune]'). That is not published: the
    best few and each engine's default are raced again, in a run of its own, and those figures are printed. Where no
    setting is certainly faster than its engine's default, the answer is the default.

    \b
    Examples:
      bakeoff tune resnet18 --engines onnxruntime --set onnxruntime.spin=true,false
      bakeoff tune resnet50 --engines onnxruntime,openvino --budget 1h --max-memory 500MB
      bakeoff tune ./model.onnx --objective throughput --latency-bound 50ms
    """
    from bakeoff.cli.racing import report_tuning
    from bakeoff.cli.stores import opened
    from bakeoff.engines.catalogue import Catalogue
    from bakeoff.race.asking.machine import this_machine
    from bakeoff.race.tuning.tuning import tune as run
    from bakeoff.records import Limits
    from bakeoff.views.racing import watching

    request = as_request(models=(model,), batch_sizes=(batch,) if batch else (), **asked)
    limits = Limits(memory_mb=memory_mb, start_s=start_s, latency_s=latency_s)
    catalogue = Catalogue.load(asked["engines_dirs"])
    with opened(output, store_url) as store, watching() as observer:
        found = run(request, objective, limits, catalogue, this_machine(), store, output, observer)
    report_tuning(found, as_json=as_json)
