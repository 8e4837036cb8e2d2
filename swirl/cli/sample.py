"""`swirl sample`: ask a running run for fresh rollouts."""

from __future__ import annotations

import argparse

from swirl.cli.arguments import add_json
from swirl.cli.output import Output


def add_command(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    sample = commands.add_parser(
        "sample", help="let a running run draw fresh rollouts after its present step, shown on its page"
    )
    sample.add_argument("run", metavar="RUN")
    add_json(sample)
    sample.set_defaults(handler=ask_for_samples)


def ask_for_samples(args: argparse.Namespace, out: Output) -> int:
    """Leave the request that the run reads at its next step."""
    from swirl.runs import jobs

    jobs.request_samples(args.home, args.run)
    out.print_document({"run": args.run, "asked": "sample"})
    out.print_line(f"Run {args.run} draws samples after its present step; its page shows them.")
    return 0
