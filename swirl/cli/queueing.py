"""`swirl queue`: what trains, what waits, and in which order; `swirl sample`: fresh rollouts from a running run."""

from __future__ import annotations

import argparse

from swirl.cli.arguments import add_json
from swirl.cli.output import Output, format_table

MOVES = ("up", "down", "first", "last")


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Add this room's commands to the parser."""
    queue = commands.add_parser(
        "queue",
        help="show what trains and what waits, or move a run that waits",
        description="Each device trains one run at a time; the others wait. `swirl stop RUN` takes one out again.",
    )
    queue.add_argument("run", metavar="RUN", nargs="?", help="a run that waits")
    queue.add_argument("to", metavar="TO", nargs="?", choices=MOVES, help="where to: " + ", ".join(MOVES))
    add_json(queue)
    queue.set_defaults(handler=show_queue)

    sample = commands.add_parser(
        "sample", help="let a running run draw fresh rollouts after its present step, shown on its page"
    )
    sample.add_argument("run", metavar="RUN")
    add_json(sample)
    sample.set_defaults(handler=ask_for_samples)


def show_queue(given: argparse.Namespace, out: Output) -> int:
    """The runs that train, then those that wait, the next one first; after a move, if one was asked for."""
    from swirl.errors import UsageError
    from swirl.history import History
    from swirl.runs import jobs

    if (given.run is None) != (given.to is None):
        raise UsageError(f"swirl queue RUN takes where to move the run: {', '.join(MOVES)}.")
    jobs.reconcile(given.home)
    if given.run is not None:
        jobs.move_in_queue(given.home, given.run, given.to)
    history = History(given.home)
    runs = [(0, run) for run in history.training_runs()] + list(enumerate(history.queued_runs(), start=1))
    out.print_document(
        [{"run": run.id, "status": run.status, "place": place, "device": run.device} for place, run in runs]
    )
    rows = [[str(place) if place else "-", run.id, run.status, run.device or "", run.name] for place, run in runs]
    out.print_line(
        format_table(["PLACE", "RUN", "STATUS", "DEVICE", "NAME"], rows)
        if rows
        else "Nothing trains and nothing waits."
    )
    return 0


def ask_for_samples(given: argparse.Namespace, out: Output) -> int:
    """Leave the request that the run reads at its next step."""
    from swirl.runs import jobs

    jobs.request_samples(given.home, given.run)
    out.print_document({"run": given.run, "asked": "sample"})
    out.print_line(f"Run {given.run} draws samples after its present step; its page shows them.")
    return 0
