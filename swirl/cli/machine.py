"""`swirl benchmark`: what this machine can do."""

from __future__ import annotations

import argparse

from swirl.cli.arguments import add_json
from swirl.cli.output import Output, table


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Add this room's command to the parser."""
    benchmark = commands.add_parser(
        "benchmark",
        help="throughput and memory on this machine",
        description="Measures sampling, scoring and real training steps with a model, the shipped tiny one by default.",
    )
    benchmark.add_argument("--model", metavar="CHECKPOINT", default="tiny-household", help="what to measure with")
    benchmark.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), default="auto", help="where to compute")
    add_json(benchmark)
    benchmark.set_defaults(handler=measure)


def measure(given: argparse.Namespace, out: Output) -> int:
    """Measure and print one figure a line."""
    from swirl.benchmark import benchmark

    figures = benchmark(given.home, given.model, device=given.device, progress=out.progress)
    out.document(figures)
    out.line(table(["WHAT", "FIGURE"], [[name, str(value)] for name, value in figures.items()]))
    return 0
