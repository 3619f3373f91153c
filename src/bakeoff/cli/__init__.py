"""The command line: arguments in, calls, printed result. A command's module is imported when it is asked for."""

import importlib

import click

from bakeoff import __version__

COMMANDS = {
    "run": "race engines on networks and print the table",
    "tune": "search the settings of engines on a network, and confirm the best",
    "resume": "go on with a run that was interrupted or killed",
    "show": "print the results of a run again",
    "report": "write a run's report: one HTML file to keep, print and show",
    "recipe": "print how to use the winner: its settings, its pinned requirements, a script",
    "ship": "write the winner as a pack: a folder that runs it without bakeoff, and verifies it",
    "verify": "verify a pack in a fresh environment of the files that it lists",
    "export": "write a run as CSV, JSON or Parquet, for other programs",
    "history": "list the runs that are stored",
    "compare": "say what became faster or slower between two runs, machines, releases or engines",
    "gate": "for CI: fail if anything is slower than a baseline by more than it may be",
    "baseline": "write what a later gate needs of a run to a small file",
    "study": "race both releases of the 2019 study's engines and write the study anew",
    "engines": "list, install and remove engines; add and check your own",
    "models": "list the networks, fetch trained weights",
    "machine": "say what this machine is, and whether it is fit to measure",
    "selftest": "race an engine against itself: how small a difference shows here",
}


class LazyGroup(click.Group):
    """Knows its commands by name and summary, so that `--help` imports none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order of use."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import `bakeoff.cli.<name>` and return the command of that name in it."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(f"bakeoff.cli.{cmd_name}"), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, without importing any."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="bakeoff")
def bakeoff() -> None:
    """Which deep-learning framework runs my network fastest on this CPU, and is its answer right?

    \b
    Examples:
      bakeoff run                                    the study's engines on ResNet-18 and ResNet-50
      bakeoff run resnet50 --quick                   a first table in some minutes
      bakeoff run resnet18 --engines onnxruntime,openvino --batch 1,8
      bakeoff show                                   the last run's table again
      bakeoff compare latest~1 latest                what has changed since the run before it

    \b
    Exit codes: 0 every row is fine and a gate passed, 1 some row is wrong, failed or timed out, nothing was measured or
    something could not be stored, or a gate failed, 2 bad usage or input, 3 a gate is undecided, 4 stopped by --strict
    since the machine is not fit to measure, 130 interrupted (what was measured is stored and shown).
    """
