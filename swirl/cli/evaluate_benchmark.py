"""`swirl evaluate --benchmark`: measure a checkpoint on one of the paper's benchmarks."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from swirl.cli.model_loading import loaded_model
from swirl.cli.output import Output, format_table
from swirl.errors import SwirlError, UsageError
from swirl.evaluation.benchmarks import BENCHMARK_NAMES

if TYPE_CHECKING:
    from swirl.evaluation.benchmarks.run import Benchmark, BenchmarkResult
    from swirl.evaluation.judge import Judge


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the options of benchmarks to `swirl evaluate`."""
    benchmark = command.add_argument_group("the paper's benchmarks")
    benchmark.add_argument(
        "--benchmark",
        choices=BENCHMARK_NAMES,
        help="benchmark to evaluate on; --data names the folder with its files, --limit counts in each split",
    )
    benchmark.add_argument(
        "--judge",
        action="store_true",
        help="also score with a judge: the model SWIRL_JUDGE_MODEL at SWIRL_JUDGE_URL, with the key SWIRL_JUDGE_KEY",
    )
    benchmark.add_argument(
        "--judge-price",
        metavar="IN,OUT",
        help="price of a million tokens of the judge, to estimate the cost (default: $SWIRL_JUDGE_PRICE)",
    )
    benchmark.add_argument(
        "--yes", action="store_true", help="accept the estimated cost of the judge without a question"
    )


def reject_benchmark_options(args: argparse.Namespace) -> None:
    """Raise UsageError when an option of benchmarks is given without --benchmark."""
    if args.judge or args.judge_price or args.yes:
        raise UsageError("--judge, --judge-price and --yes belong to --benchmark NAME.")


def evaluate_on_benchmark(args: argparse.Namespace, out: Output) -> int:
    """Read the benchmark, evaluate, keep the figures in the history, and print the table."""
    from swirl.evaluation.benchmarks.predictions import MeasurementContext
    from swirl.evaluation.benchmarks.run import BENCHMARKS, run_benchmark
    from swirl.history import History

    if args.part != "test":
        raise UsageError(
            "--part selects sequences of a collection and does not apply to a benchmark; leave --part out."
        )
    benchmark = BENCHMARKS[args.benchmark]
    judge = build_judge(args, benchmark)
    folder = Path(args.data).expanduser()
    if not folder.exists():
        raise SwirlError(
            f"The folder {folder} does not exist; give the folder with the files of {benchmark.title} as --data."
        )
    out.print_note(f"Reading {benchmark.title} from {folder}.")
    items = benchmark.gather(folder, args.limit, args.seed, out.show_progress)
    with loaded_model(args) as model:
        if judge is not None:
            confirm_judge_cost(args, out, benchmark.judge_calls(items, model.is_trainable), judge)
        result = run_benchmark(
            benchmark, items, MeasurementContext(model, judge, args.seed, out.show_progress, args.best_of)
        )
    data = f"benchmark:{benchmark.name}" + (f" best of {args.best_of}" if args.best_of > 1 else "")
    History(args.home).add_evaluation(checkpoint=args.checkpoint, data=data, metrics=result.metrics())
    out.print_document(result_document(args, result))
    print_result(args, out, result)
    return 0


def build_judge(args: argparse.Namespace, benchmark: Benchmark) -> Judge | None:
    """Return the judge, or None without --judge.

    Raises UsageError when the benchmark is scored without a judge, or when no endpoint is named.
    """
    if not args.judge:
        return None
    if not benchmark.has_judge:
        raise UsageError(f"{benchmark.title} is scored without a judge; leave --judge out.")
    from swirl.evaluation.judge import Judge, endpoint_from_environment
    from swirl.history import History

    return Judge(endpoint_from_environment(args.judge_price), History(args.home))


def confirm_judge_cost(args: argparse.Namespace, out: Output, loads: list[Any], judge: Judge) -> None:
    """Print what the judge may cost and, on a terminal, ask for a yes. Raises SwirlError for any other answer."""
    from swirl.evaluation.judge import describe_cost

    out.print_note(describe_cost(loads, judge.endpoint))
    if args.yes or not sys.stdin.isatty():
        return
    try:
        answer = input("Continue? [y/N] ")
    except EOFError:
        answer = ""
    if answer.strip().lower() not in ("y", "yes"):
        raise SwirlError(
            "Nothing was sent to the judge and nothing was measured; leave --judge out to evaluate at no cost."
        )


def result_document(args: argparse.Namespace, result: BenchmarkResult) -> dict[str, Any]:
    """Return the whole result as --json prints it."""
    return {
        "checkpoint": args.checkpoint,
        "benchmark": result.benchmark.name,
        "data": str(args.data),
        "limit": args.limit,
        "seed": args.seed,
        "best_of": args.best_of,
        "items": result.split_sizes,
        "figures": {
            metric: {split: asdict(figure) for split, figure in splits.items()}
            for metric, splits in result.figures.items()
        },
        "paper": [asdict(row) for row in result.benchmark.paper_rows],
        "notes": list(result.notes),
        "judge": result.judge,
    }


def print_result(args: argparse.Namespace, out: Output, result: BenchmarkResult) -> None:
    """Print the table, the notes, and what the judge was asked."""
    from swirl.evaluation.benchmarks.result_table import table_rows

    sampling = f", best of {args.best_of}" if args.best_of > 1 else ""
    out.print_line(
        f"{args.checkpoint} on {result.benchmark.title}{sampling}; the paper's rows are of its own models and judge"
    )
    out.print_line(format_table(*table_rows(result)))
    for note in result.notes:
        out.print_line(f"- {note}")
    if result.judge:
        cost = "" if result.judge["cost"] is None else f", {result.judge['cost']:.2f} to pay"
        out.print_line(
            f"The judge {result.judge['model']} was asked {result.judge['asked']} times ({result.judge['tokens_in']} "
            f"tokens in, {result.judge['tokens_out']} out{cost}); {result.judge['kept']} answers were reused."
        )
