"""`swirl stop`: save a run and end it."""

from __future__ import annotations

import argparse

from swirl.cli.arguments import add_json
from swirl.cli.output import Output


def add_command(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    stopping = commands.add_parser(
        "stop",
        help="save a run, then end it after its current step",
        description="Asks a run to save a checkpoint and end after its current step; `swirl resume RUN` continues it. "
        "A queued run leaves the queue.",
    )
    stopping.add_argument("run", metavar="RUN", help="id of the run")
    stopping.add_argument(
        "--force", action="store_true", help="end the process if it has not stopped by itself within seconds"
    )
    add_json(stopping)
    stopping.set_defaults(handler=stop_run)


def stop_run(args: argparse.Namespace, out: Output) -> int:
    """Ask a run to save and end, and print its status."""
    from swirl.history import History
    from swirl.runs import jobs

    jobs.stop(args.home, args.run, force=args.force)
    status = History(args.home).run(args.run).status
    out.print_document({"run": args.run, "status": status})
    out.print_line(f"Run {args.run} is {status}.")
    return 0
