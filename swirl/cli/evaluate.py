"""`swirl evaluate`: every metric that a collection allows, kept in the history."""

from __future__ import annotations

import argparse
import dataclasses
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from swirl.cli import evaluate_benchmark
from swirl.cli.arguments import add_checkpoint, add_json, positive_integer
from swirl.cli.model_loading import loaded_model
from swirl.cli.output import Output, format_table
from swirl.errors import SwirlError

if TYPE_CHECKING:
    from swirl.evaluation import Report
    from swirl.evaluation.answer_cache import AnswerCache


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Add this room's commands to the parser."""
    evaluating = commands.add_parser(
        "evaluate",
        help="every metric that the data allow, with 95 %% intervals",
        description="Measures a checkpoint on a collection and keeps the figures in the history. Stopped with Ctrl-C "
        "it keeps what was answered so far; the same command goes on from there, to the very same figures.",
    )
    add_checkpoint(evaluating)
    evaluating.add_argument("--data", metavar="NAME", required=True, help="a collection; with --benchmark a folder")
    evaluating.add_argument(
        "--part", choices=("test", "selection", "train"), default="test", help="which sequences (default: test)"
    )
    evaluating.add_argument("--limit", metavar="N", type=positive_integer, help="at most N transitions")
    evaluating.add_argument(
        "--best-of",
        metavar="N",
        type=positive_integer,
        default=1,
        help="beside the greedy prediction, draw N next states at temperature 1 and take the one whose action the "
        "inverse model scores highest (default: 1, greedy alone)",
    )
    evaluating.add_argument("--seed", metavar="S", type=int, default=0)
    evaluate_benchmark.add_arguments(evaluating)
    add_json(evaluating)
    evaluating.set_defaults(handler=evaluate_checkpoint)


def evaluate_checkpoint(given: argparse.Namespace, out: Output) -> int:
    """Measure, keep the figures in the history, and print them."""
    if given.benchmark:
        return evaluate_benchmark.evaluate_on_benchmark(given, out)
    evaluate_benchmark.reject_benchmark_options(given)
    from swirl.history import History
    from swirl.sources.collections.catalog import get_collection

    get_collection(given.home, given.data)  # an unknown name fails before a model is loaded
    with open_saved_answers(given) as kept:
        report = run_evaluation(given, out, kept)
        metrics = {name: dataclasses.asdict(value) for name, value in report.metrics.items()}
        history = History(given.home)
        evaluation = history.add_evaluation(checkpoint=given.checkpoint, data=given.data, metrics=metrics)
        history.save_evaluation_cases(evaluation, report.cases)
        kept.remove()
    out.print_document(
        {
            "checkpoint": given.checkpoint,
            "data": given.data,
            "part": report.part,
            "transitions": report.transitions,
            "best_of": given.best_of,
            "metrics": metrics,
            "remarks": report.remarks,
        }
    )
    print_metrics(given, report, metrics, out)
    return 0


@contextmanager
def open_saved_answers(given: argparse.Namespace) -> Iterator[AnswerCache]:
    """The file from which this very command goes on when it is given again."""
    from swirl.evaluation.answer_cache import open_answer_cache

    settings = {name: getattr(given, name) for name in ("part", "limit", "seed", "best_of", "device")}
    kept = open_answer_cache(given.home, given.checkpoint, given.data, settings)
    try:
        yield kept
    finally:
        kept.close()


def run_evaluation(given: argparse.Namespace, out: Output, kept: AnswerCache) -> Report:
    """The report. Raises SwirlError that says how to go on when Ctrl-C or SIGTERM stops it before."""
    from swirl.evaluation import evaluate
    from swirl.evaluation.progress import EvaluationStopped
    from swirl.processes import stop_on_signals

    asked = threading.Event()

    def watch() -> None:
        if asked.is_set():
            raise EvaluationStopped

    if kept.answers_loaded:
        out.print_note(f"Going on from {kept.answers_loaded} answers of the time before.")
    how = {name: getattr(given, name) for name in ("part", "limit", "seed", "best_of")}
    with loaded_model(given) as model, stop_on_signals(asked.set):
        try:
            return evaluate(model, given.home, given.data, **how, progress=out.show_progress, cache=kept, watch=watch)
        except EvaluationStopped as stopped:
            raise SwirlError(
                "Stopped. What was answered so far is kept, and the same command goes on from there."
            ) from stopped


def print_metrics(given: argparse.Namespace, report: Report, metrics: dict[str, Any], out: Output) -> None:
    """The figures as a table."""
    rows = [[name, *(format_figure(value[key]) for key in ("value", "low", "high"))] for name, value in metrics.items()]
    out.print_line(f"{given.checkpoint} on {report.transitions} transitions of {given.data} ({report.part})")
    out.print_line(format_table(["METRIC", "VALUE", "LOW", "HIGH"], rows))
    for remark in report.remarks:
        out.print_note(remark)


def format_figure(value: float | None) -> str:
    """A figure for people."""
    return "–" if value is None else f"{value:.4f}"
