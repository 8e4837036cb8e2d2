"""`swirl benchmark`: measure throughput and memory on this machine."""

from __future__ import annotations

import argparse

from swirl.cli.arguments import add_device, add_json
from swirl.cli.output import Output, format_table


def add_command(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    benchmark = commands.add_parser(
        "benchmark",
        help="measure throughput and memory on this machine",
        description="Measures sampling, scoring and real training steps with a model, tiny-household by default.",
    )
    benchmark.add_argument(
        "--model",
        metavar="CHECKPOINT",
        default="tiny-household",
        help="checkpoint to measure with (default: tiny-household)",
    )
    add_device(benchmark)
    add_json(benchmark)
    benchmark.set_defaults(handler=measure)


def measure(args: argparse.Namespace, out: Output) -> int:
    """Measure, and print one figure a line."""
    from swirl.runs.machine_benchmark import benchmark

    figures = benchmark(args.home, args.model, device=args.device, progress=out.show_progress)
    out.print_document(figures)
    out.print_line(format_table(["MEASURE", "FIGURE"], [[name, str(value)] for name, value in figures.items()]))
    return 0
