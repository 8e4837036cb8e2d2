"""`swirl evaluate --benchmark`: one of the paper's benchmarks, shown as the paper shows it."""

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
    """The options that a benchmark adds to `swirl evaluate`."""
    benchmark = command.add_argument_group("the paper's benchmarks")
    benchmark.add_argument(
        "--benchmark",
        choices=BENCHMARK_NAMES,
        help="measure on its files; --data is their folder, --limit is of each split",
    )
    benchmark.add_argument(
        "--judge",
        action="store_true",
        help="also ask the model at SWIRL_JUDGE_URL, called SWIRL_JUDGE_MODEL, with the key SWIRL_JUDGE_KEY",
    )
    benchmark.add_argument("--judge-price", metavar="IN,OUT", help="the judge's price of a million tokens")
    benchmark.add_argument("--yes", action="store_true", help="ask the judge without asking back what it may cost")


def reject_benchmark_options(args: argparse.Namespace) -> None:
    """Raise UsageError for a benchmark's options where no benchmark is named."""
    if args.judge or args.judge_price or args.yes:
        raise UsageError("--judge, --judge-price and --yes belong to --benchmark NAME.")


def evaluate_on_benchmark(args: argparse.Namespace, out: Output) -> int:
    """Read the benchmark, measure, keep the figures in the history, and print the table."""
    from swirl.evaluation.benchmarks.predictions import MeasurementContext
    from swirl.evaluation.benchmarks.run import BENCHMARKS, run_benchmark
    from swirl.history import History

    if args.part != "test":
        raise UsageError("--part chooses sequences of a collection; a benchmark has none.")
    benchmark = BENCHMARKS[args.benchmark]
    judge = build_judge(args, benchmark)
    folder = Path(args.data).expanduser()
    if not folder.exists():
        raise SwirlError(f"There is no {folder}; --data names the folder with the files of {benchmark.title}.")
    out.print_note(f"Reading {benchmark.title} from {folder}.")
    gathered = benchmark.gather(folder, args.limit, args.seed, out.show_progress)
    with loaded_model(args) as model:
        if judge is not None:
            confirm_judge_cost(args, out, benchmark.judge_calls(gathered, model.is_trainable), judge)
        result = run_benchmark(
            benchmark, gathered, MeasurementContext(model, judge, args.seed, out.show_progress, args.best_of)
        )
    data = f"benchmark:{benchmark.name}" + (f" best of {args.best_of}" if args.best_of > 1 else "")
    History(args.home).add_evaluation(checkpoint=args.checkpoint, data=data, metrics=result.metrics())
    out.print_document(result_document(args, result))
    print_result(args, out, result)
    return 0


def build_judge(args: argparse.Namespace, benchmark: Benchmark) -> Judge | None:
    """The judge, if one was asked for. Raises UsageError where there is nothing to judge, or no endpoint is named."""
    if not args.judge:
        return None
    if not benchmark.has_judge:
        raise UsageError(f"{benchmark.title} is scored without a judge; leave --judge out.")
    from swirl.evaluation.judge import Judge, endpoint_from_environment
    from swirl.history import History

    return Judge(endpoint_from_environment(args.judge_price), History(args.home))


def confirm_judge_cost(args: argparse.Namespace, out: Output, loads: list[Any], judge: Judge) -> None:
    """Say what the judge will cost, and on a terminal wait for a yes. Raises SwirlError for a no."""
    from swirl.evaluation.judge import describe_cost

    out.print_note(describe_cost(loads, judge.endpoint))
    if args.yes or not sys.stdin.isatty():
        return
    try:
        answer = input("Go on? [y/N] ")
    except EOFError:
        answer = ""
    if answer.strip().lower() not in ("y", "yes"):
        raise SwirlError("Nothing was asked and nothing was measured; without --judge there is nothing to pay for.")


def result_document(args: argparse.Namespace, result: BenchmarkResult) -> dict[str, Any]:
    """Everything that was found, as JSON."""
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
    """The table for people, and under it what is not in it."""
    from swirl.evaluation.benchmarks.result_table import table_rows

    how = f", best of {args.best_of}" if args.best_of > 1 else ""
    out.print_line(
        f"{args.checkpoint} on {result.benchmark.title}{how}; the paper's rows are of its own models and judge"
    )
    out.print_line(format_table(*table_rows(result)))
    for note in result.notes:
        out.print_line(f"- {note}")
    if result.judge:
        cost = "" if result.judge["cost"] is None else f", {result.judge['cost']:.2f} to pay"
        out.print_line(
            f"The judge {result.judge['model']} was asked {result.judge['asked']} times ({result.judge['tokens_in']} "
            f"tokens in, {result.judge['tokens_out']} out{cost}); {result.judge['kept']} answers were kept from before."
        )
