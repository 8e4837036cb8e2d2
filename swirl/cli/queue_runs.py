"""`swirl queue`: show the running and queued runs, or move a queued one."""

from __future__ import annotations

import argparse

from swirl.cli.arguments import add_json
from swirl.cli.output import Output, format_table
from swirl.errors import UsageError

MOVES = ("up", "down", "first", "last")


def add_command(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    queue = commands.add_parser(
        "queue",
        help="show the running and queued runs, or move a queued run",
        description="Each device trains one run at a time; the others wait in the queue. `swirl stop RUN` takes a run "
        "out of the queue.",
    )
    queue.add_argument("run", metavar="RUN", nargs="?", help="id of a queued run to move")
    queue.add_argument("to", metavar="TO", nargs="?", choices=MOVES, help="where to move it: " + ", ".join(MOVES))
    add_json(queue)
    queue.set_defaults(handler=show_queue)


def show_queue(args: argparse.Namespace, out: Output) -> int:
    """Move a run if asked to; print the running runs, then the queued ones in the order in which they will start."""
    from swirl.history import History
    from swirl.runs import jobs

    if (args.run is None) != (args.to is None):
        raise UsageError(f"swirl queue RUN needs a place to move the run to: {', '.join(MOVES)}.")
    jobs.reconcile(args.home)
    if args.run is not None:
        jobs.move_in_queue(args.home, args.run, args.to)
    history = History(args.home)
    runs = [(0, run) for run in history.training_runs()] + list(enumerate(history.queued_runs(), start=1))
    out.print_document(
        [{"run": run.id, "status": run.status, "place": place, "device": run.device} for place, run in runs]
    )
    rows = [[str(place) if place else "-", run.id, run.status, run.device or "", run.name] for place, run in runs]
    out.print_line(
        format_table(["PLACE", "RUN", "STATUS", "DEVICE", "NAME"], rows) if rows else "No run is training or queued."
    )
    return 0
