"""A neighbour to race beside: it computes on one CPU half of the time, in bursts of seconds.

    .venv/bin/python benchmarks/neighbour.py -- make bench           # beside this command, and no longer
    .venv/bin/python benchmarks/neighbour.py --seconds 600 --duty 0.3

Bursts and pauses last at random (exponentially distributed, from a seed): nobody can take turns with it. It prints how
long it computed.
"""

import argparse
import hashlib
import random
import subprocess
import sys
import time
from collections.abc import Callable

BURST_S = 2.0
"""a burst's length, on average"""
CHUNK = bytes(1 << 20)
"""hashing it takes about a millisecond"""


def compute(seconds: float) -> None:
    """Keep one CPU busy for so long."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        hashlib.sha256(CHUNK).digest()


def neighbour(goes_on: Callable[[], bool], duty: float, seed: int) -> float:
    """Compute for `duty` of the time while `goes_on`; the seconds that it computed."""
    rng = random.Random(seed)  # noqa: S311 - a load, no secret
    begin = time.process_time()
    while goes_on():
        compute(rng.expovariate(1 / BURST_S))
        time.sleep(rng.expovariate(duty / (BURST_S * (1 - duty))))
    return time.process_time() - begin


def main() -> int:
    """Compute beside the command, or for so long; the command's exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=60.0, help="without a command")
    parser.add_argument("--duty", type=float, default=0.5, help="share of the time, below 1")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("command", nargs="*", help="after `--`: run it, and end with it")
    options = parser.parse_args()
    if not 0 < options.duty < 1:
        parser.error("--duty lies between 0 and 1")
    begin = time.monotonic()
    process = subprocess.Popen(options.command) if options.command else None
    try:
        goes_on = (lambda: process.poll() is None) if process else (lambda: time.monotonic() < begin + options.seconds)
        computed = neighbour(goes_on, options.duty, options.seed)
    except KeyboardInterrupt:
        return 130
    finally:
        if process and process.poll() is None:
            process.terminate()
    wall = time.monotonic() - begin
    print(f"the neighbour computed for {computed:.0f} s of {wall:.0f} s", file=sys.stderr)
    return process.wait() if process else 0


if __name__ == "__main__":
    sys.exit(main())
