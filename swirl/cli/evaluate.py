"""`swirl evaluate`: compute every metric that a collection allows, and keep the figures in the history."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from swirl.cli import evaluate_benchmark, evaluate_plans
from swirl.cli.arguments import add_checkpoint, add_json, add_seed, positive_integer
from swirl.cli.model_loading import loaded_model
from swirl.cli.output import Output, format_table
from swirl.cli.stoppable_work import stop_on_request
from swirl.errors import UsageError

if TYPE_CHECKING:
    from swirl.evaluation import Report
    from swirl.evaluation.answer_cache import AnswerCache


def add_command(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    evaluating = commands.add_parser(
        "evaluate",
        help="compute every metric that the data allow, with 95 %% intervals",
        description="Evaluates a checkpoint on a collection and keeps the figures in the history. Ctrl-C stops the "
        "evaluation and keeps the answers so far: the same command continues from there and gives exactly the figures "
        "of an evaluation that was never stopped.",
    )
    add_checkpoint(evaluating)
    evaluating.add_argument(
        "--data", metavar="NAME", required=True, help="collection; with --benchmark, the folder with its files"
    )
    evaluating.add_argument(
        "--part", choices=("test", "selection", "train"), default="test", help="part of the sequences (default: test)"
    )
    evaluating.add_argument("--limit", metavar="N", type=positive_integer, help="evaluate at most N transitions")
    evaluating.add_argument(
        "--best-of",
        metavar="N",
        type=positive_integer,
        default=1,
        help="beside the greedy prediction, sample N next states at temperature 1 and take the one for which the IDM "
        "gives the action the highest log-probability (default: 1, greedy only)",
    )
    add_seed(evaluating, "the same seed gives the same figures")
    evaluate_plans.add_arguments(evaluating)
    evaluate_benchmark.add_arguments(evaluating)
    add_json(evaluating)
    evaluating.set_defaults(handler=evaluate_checkpoint)


def evaluate_checkpoint(args: argparse.Namespace, out: Output) -> int:
    """Evaluate, keep the figures in the history, and print them."""
    if args.benchmark and args.plan:
        raise UsageError("--plan measures plans on a collection and --benchmark on a benchmark; give one of them.")
    if args.benchmark:
        evaluate_plans.reject_plan_options(args)
        return evaluate_benchmark.evaluate_on_benchmark(args, out)
    evaluate_benchmark.reject_benchmark_options(args)
    if args.plan:
        return evaluate_plans.evaluate_plans(args, out)
    evaluate_plans.reject_plan_options(args)
    from swirl.history import History
    from swirl.sources.collections.catalog import get_collection

    get_collection(args.home, args.data)  # an unknown name fails before a model is loaded
    with open_saved_answers(args) as answers:
        report = run_evaluation(args, out, answers)
        metrics = {name: dataclasses.asdict(value) for name, value in report.metrics.items()}
        history = History(args.home)
        history.add_evaluation(
            checkpoint=args.checkpoint, data=args.data, metrics=metrics, cases=report.cases, part=report.part
        )
        answers.remove()
    out.print_document(
        {
            "checkpoint": args.checkpoint,
            "data": args.data,
            "part": report.part,
            "transitions": report.transitions,
            "best_of": args.best_of,
            "metrics": metrics,
            "remarks": report.remarks,
        }
    )
    print_metrics(args, report, metrics, out)
    return 0


@contextmanager
def open_saved_answers(args: argparse.Namespace) -> Iterator[AnswerCache]:
    """Open the file of answers from which the same command continues after it was stopped."""
    from swirl.evaluation.answer_cache import open_answer_cache

    settings = {name: getattr(args, name) for name in ("part", "limit", "seed", "best_of", "device")}
    answers = open_answer_cache(args.home, args.checkpoint, args.data, settings)
    try:
        yield answers
    finally:
        answers.close()


def run_evaluation(args: argparse.Namespace, out: Output, answers: AnswerCache) -> Report:
    """Evaluate and return the report. Raises SwirlError when Ctrl-C or SIGTERM stops the evaluation."""
    from swirl.evaluation import evaluate

    if answers.answers_loaded:
        out.print_note(f"Continuing from {answers.answers_loaded} saved answers.")
    options = {name: getattr(args, name) for name in ("part", "limit", "seed", "best_of")}
    with loaded_model(args) as model, stop_on_request("answers") as watch:
        return evaluate(model, args.home, args.data, **options, progress=out.show_progress, cache=answers, watch=watch)


def print_metrics(args: argparse.Namespace, report: Report, metrics: dict[str, Any], out: Output) -> None:
    """Print the figures as a table, and the remarks of the report."""
    rows = [[name, *(format_figure(value[key]) for key in ("value", "low", "high"))] for name, value in metrics.items()]
    out.print_line(f"{args.checkpoint} on {report.transitions} transitions of {args.data} ({report.part})")
    out.print_line(format_table(["METRIC", "VALUE", "LOW", "HIGH"], rows))
    for remark in report.remarks:
        out.print_note(remark)


def format_figure(value: float | None) -> str:
    """Format a figure with four decimals; a dash where there is none."""
    return "–" if value is None else f"{value:.4f}"
