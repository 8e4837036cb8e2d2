"""`swirl resume`: continue a stopped or interrupted run."""

from __future__ import annotations

import argparse

from swirl.cli.arguments import add_json
from swirl.cli.foreground_training import run_result, train_in_foreground
from swirl.cli.output import Output
from swirl.cli.parallel import add_parallel, start_processes


def add_command(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    resuming = commands.add_parser(
        "resume",
        help="continue a stopped or interrupted run from its last checkpoint",
        description="Continues a stopped, interrupted or failed run from its last checkpoint, in this process or, with "
        "--detach, in the background.",
    )
    resuming.add_argument("run", metavar="RUN", help="id of the run")
    resuming.add_argument("--detach", action="store_true", help="train in the background and return at once")
    add_parallel(resuming)
    add_json(resuming)
    resuming.set_defaults(handler=resume_run)


def resume_run(args: argparse.Namespace, out: Output) -> int:
    """Continue a run, in this process or in the background."""
    from swirl.runs import distributed, jobs, secondary_rank

    code = start_processes(args, out)
    if code is not None:
        return code
    if distributed.rank() > 0:
        secondary_rank.train_as_secondary_rank(args.home)
    jobs.resume(args.home, args.run, detach=args.detach)
    if args.detach:
        out.print_document(run_result(args.home, args.run))
        out.print_line(args.run)
        return 0
    return train_in_foreground(args.home, args.run, out)
