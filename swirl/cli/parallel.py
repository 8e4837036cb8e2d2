"""`--parallel KIND --processes N`: a command that starts itself again in several processes."""

from __future__ import annotations

import argparse

from swirl.cli.arguments import positive_integer
from swirl.cli.output import Output
from swirl.errors import UsageError
from swirl.runs.launching import PARALLEL_KINDS, count_processes, is_launched, launch


def add_parallel(command: argparse.ArgumentParser) -> None:
    """Add `--parallel` and `--processes`."""
    command.add_argument(
        "--parallel",
        choices=PARALLEL_KINDS,
        help="train in several processes, by default one for each GPU: DDP, FSDP2, or DeepSpeed ZeRO 2 or 3",
    )
    command.add_argument(
        "--processes", metavar="N", type=positive_integer, help="how many processes --parallel starts (default: GPUs)"
    )


def start_processes(args: argparse.Namespace, out: Output) -> int | None:
    """Run this command in as many processes as it asks for; their exit code, or None if this process is to do it.

    Raises UsageError for options that cannot be combined.
    """
    if args.processes is not None and args.parallel is None:
        raise UsageError("--processes needs --parallel; add --parallel ddp.")
    if args.parallel is None or is_launched():
        return None
    if args.detach:
        raise UsageError("--detach cannot be combined with --parallel; leave one of them out.")
    processes = count_processes(args.processes)
    with out.lend_stdout():
        return launch(args.parallel, processes, args.arguments)
