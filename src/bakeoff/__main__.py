"""Where the `bakeoff` command starts: errors become one line and an exit code here, and nowhere else."""

import sys

from bakeoff.cli import bakeoff
from bakeoff.errors import BakeoffError, ExitCode


def main() -> None:
    """Run the command line and exit."""
    for stream in (sys.stdout, sys.stderr):
        # A Windows console in a legacy code page must not fail on the ± of a table.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        bakeoff.main(prog_name="bakeoff", standalone_mode=True)
    except BakeoffError as error:
        print(f"bakeoff: {error}", file=sys.stderr)  # noqa: T201 - the last word of a command
        if error.advice:
            print(f"         {error.advice}", file=sys.stderr)  # noqa: T201
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("bakeoff: interrupted", file=sys.stderr)  # noqa: T201
        sys.exit(ExitCode.INTERRUPTED)
    except BrokenPipeError:  # the reader, `head` say, has seen enough
        sys.stderr.close()
        sys.exit(ExitCode.OK)


if __name__ == "__main__":
    main()
