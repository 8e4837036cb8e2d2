"""The detached process of one run: `python -m swirl.runs.worker --home HOME RUN`. Its output is the run's log.txt."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from swirl.errors import SwirlError
from swirl.runs import jobs


def main(arguments: list[str] | None = None) -> int:
    """Train the run until it ends. Returns 0, or 1 if it could not be started."""
    parser = argparse.ArgumentParser(prog="python -m swirl.runs.worker", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="the folder of all runs")
    parser.add_argument("run", help="the run's id")
    given = parser.parse_args(arguments)
    try:
        jobs.train_in_foreground(given.home, given.run)
    except SwirlError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
