"""`swirl benchmark`: measure throughput and memory on this machine, and a training step part by part."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from swirl.cli.arguments import add_device, add_json, positive_integer
from swirl.cli.output import Output, format_table
from swirl.errors import SwirlError, UsageError
from swirl.runs.step_benchmark.workload import LIQUID_SHAPES

DIRECTIONS = ("forward", "inverse")


def add_command(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    benchmark = commands.add_parser(
        "benchmark",
        help="measure throughput, memory and the parts of a training step",
        description="Measures sampling, scoring and real training steps with a model, then the parts of a step of each "
        "phase: seconds, tokens per second, peak memory, and the share of the speed that matrix products reach. "
        "--against measures other trainers by turns with ours, on the same model and prompts. The history keeps the "
        "figures; --list shows them.",
    )
    benchmark.add_argument(
        "--model",
        metavar="MODEL",
        default="tiny-household",
        help=f"checkpoint, plain model, or a random model in the shape of Liquid: {', '.join(LIQUID_SHAPES)} "
        "(default: tiny-household)",
    )
    benchmark.add_argument(
        "--against",
        choices=("trl", "plain"),
        nargs="+",
        action="extend",
        default=[],
        help="trainers to compare with: stock trl, or a plain trainer of separate models",
    )
    benchmark.add_argument(
        "--direction", choices=(*DIRECTIONS, "both"), default="both", help="phases to measure (default: both)"
    )
    numbers = (
        ("--steps", "steps of each trainer, of which the first is left out", 4),
        ("--prompts", "prompts a step", 2),
        ("--group-size", "rollouts per prompt, G", 8),
        ("--threads", "CPU threads of each trainer", 1),
    )
    for flag, effect, default in numbers:
        benchmark.add_argument(
            flag, metavar="N", type=positive_integer, default=default, help=f"{effect} (default: {default})"
        )
    benchmark.add_argument(
        "--new-tokens", metavar="N", type=positive_integer, default=0, help="tokens of a text state (default: 48)"
    )
    benchmark.add_argument(
        "--beta", metavar="B", type=float, default=0.04, help="weight of the KL term; 0 for none (default: 0.04)"
    )
    benchmark.add_argument(
        "--precision", choices=("auto", "float32", "bfloat16"), default="auto", help="number format (default: auto)"
    )
    benchmark.add_argument(
        "--data", metavar="NAME", default="", help="collection of the prompts (default: household or blocks)"
    )
    benchmark.add_argument("--list", action="store_true", help="list the benchmarks of the history and measure nothing")
    benchmark.add_argument(
        "--markdown", metavar="FILE", type=Path, help="write the newest benchmark of each workload as a page"
    )
    add_device(benchmark)
    add_json(benchmark)
    benchmark.set_defaults(handler=measure)


def measure(args: argparse.Namespace, out: Output) -> int:
    """Measure, keep the figures and print them; or list those that were kept."""
    from swirl.history import History

    history = History(args.home)
    if args.list:
        list_benchmarks(history, out)
    else:
        check_arguments(args)
        document = measure_inference(args, out)
        document["phases"] = measure_phases(args, history, out)
        out.print_document(document)
    if args.markdown:
        write_page(history, args.markdown, out)
    return 0


def check_arguments(args: argparse.Namespace) -> None:
    """Raise UsageError for numbers that no trainer can run with."""
    if args.group_size < 2:
        raise UsageError("--group-size must be at least 2: a rollout is compared with the others of its group.")
    if args.beta < 0:
        raise UsageError(f"--beta must not be negative, and {args.beta:g} is.")
    if args.markdown and not args.markdown.absolute().parent.is_dir():
        raise UsageError(f"The folder of --markdown {args.markdown} does not exist; create it first.")


def measure_inference(args: argparse.Namespace, out: Output) -> dict[str, Any]:
    """Print and return what one process measures alone; nothing where trainers or shapes are compared."""
    if args.against or args.model in LIQUID_SHAPES:
        return {}
    from swirl.runs.machine_benchmark import benchmark

    figures = benchmark(args.home, args.model, device=args.device, progress=out.show_progress)
    out.print_line(format_table(["MEASURE", "FIGURE"], [[name, str(value)] for name, value in figures.items()]))
    return figures


def measure_phases(args: argparse.Namespace, history: Any, out: Output) -> dict[str, Any]:
    """Measure the step of each phase that was asked for, keep its figures, print and return them."""
    from swirl.runs.step_benchmark.comparison import compare
    from swirl.runs.step_benchmark.provenance import code_version, machine_name
    from swirl.runs.step_benchmark.report import parts_table, summary_table
    from swirl.runs.step_benchmark.workload import Workload

    found = {}
    for direction in DIRECTIONS if args.direction == "both" else (args.direction,):
        workload = Workload(
            model=args.model,
            direction=direction,
            data=args.data,
            prompts=args.prompts,
            group_size=args.group_size,
            new_tokens=args.new_tokens,
            precision=args.precision,
            device=args.device,
            threads=args.threads,
            beta=args.beta,
        )
        result = compare(args.home, workload, args.against, steps=args.steps, progress=out.show_progress)
        history.add_step_benchmark(
            title=result["title"],
            version=code_version(),
            machine=machine_name(result["workload"]["device"]),
            figures=result,
        )
        out.print_line()
        out.print_line(result["title"])
        for table in (summary_table(result), parts_table(result)):
            print_table(table, out)
        found[direction] = result
    return found


def list_benchmarks(history: Any, out: Output) -> None:
    """Print the benchmarks of the history."""
    from dataclasses import asdict

    from swirl.runs.step_benchmark.report import history_table

    benchmarks = history.step_benchmarks()
    out.print_document([asdict(benchmark) for benchmark in benchmarks])
    if benchmarks:
        print_table(history_table(benchmarks), out)
    else:
        out.print_note("No benchmark has been kept in this home yet; run `swirl benchmark`.")


def print_table(table: tuple[list[str], list[list[str]]], out: Output) -> None:
    """Print a table with its headings in capitals."""
    headings, rows = table
    out.print_line(format_table([heading.upper() for heading in headings], rows))


def write_page(history: Any, file: Path, out: Output) -> None:
    """Write the newest benchmark of each workload to a Markdown file."""
    from swirl.runs.step_benchmark.report import markdown_page

    benchmarks = history.step_benchmarks()
    if not benchmarks:
        raise SwirlError(f"There is nothing to write to {file} yet; run `swirl benchmark` in this home first.")
    file.write_text(markdown_page(benchmarks), encoding="utf-8")
    out.print_note(f"{file}: {len({benchmark.title for benchmark in benchmarks})} workloads.")
