"""Where the `bakeoff` command starts: errors become one line and an exit code here, and nowhere else."""

import signal
import sys

from bakeoff.errors import BakeoffError, ExitCode
from bakeoff.interrupts import handled_by
from bakeoff.printable import guard_streams


def main() -> None:
    """Run the command line and exit."""
    guard_streams()
    with handled_by(signal.default_int_handler):
        sys.exit(code_of_the_command())


def code_of_the_command() -> int:
    """Run what is typed; its exit code."""
    try:
        import click  # noqa: PLC0415 - an interrupt while it is imported is one like any other

        from bakeoff.cli import bakeoff  # noqa: PLC0415

        try:
            return bakeoff.main(prog_name="bakeoff", standalone_mode=False) or ExitCode.OK
        except click.ClickException as error:
            error.show()
            return error.exit_code
        except click.Abort:
            raise KeyboardInterrupt from None
    except BakeoffError as error:
        print(f"bakeoff: {error}", file=sys.stderr)  # noqa: T201 - the last word of a command
        if error.advice:
            print(f"         {error.advice}", file=sys.stderr)  # noqa: T201
        return error.exit_code
    except KeyboardInterrupt:
        print("bakeoff: interrupted; what was installed, converted or measured so far is kept", file=sys.stderr)  # noqa: T201
        return ExitCode.INTERRUPTED
    except BrokenPipeError:  # the reader, `head` say, has seen enough
        sys.stderr.close()
        return ExitCode.OK


if __name__ == "__main__":
    main()
