"""`swirl sample`: ask a running run for fresh rollouts."""

from __future__ import annotations

import argparse

from swirl.cli.arguments import add_json
from swirl.cli.output import Output


def add_command(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    sample = commands.add_parser(
        "sample",
        help="ask a running run for fresh rollouts",
        description="Asks a running run for fresh rollouts after its current step. The page of the run in the studio "
        "shows them.",
    )
    sample.add_argument("run", metavar="RUN", help="id of the run")
    add_json(sample)
    sample.set_defaults(handler=ask_for_samples)


def ask_for_samples(args: argparse.Namespace, out: Output) -> int:
    """Leave a request that the run reads after its current step."""
    from swirl.runs import jobs

    jobs.request_samples(args.home, args.run)
    out.print_document({"run": args.run, "asked": "sample"})
    out.print_line(f"Run {args.run} draws rollouts after its current step; its page in the studio shows them.")
    return 0
