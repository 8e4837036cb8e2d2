"""`swirl evaluate`: every metric that a collection allows, kept in the history."""

from __future__ import annotations

import argparse
import dataclasses

from swirl.cli.arguments import add_checkpoint, add_json, positive
from swirl.cli.output import Output, table


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Add this room's commands to the parser."""
    evaluating = commands.add_parser("evaluate", help="every metric that the data allow, with 95 %% intervals")
    add_checkpoint(evaluating)
    evaluating.add_argument("--data", metavar="NAME", required=True, help="a collection")
    evaluating.add_argument(
        "--part", choices=("test", "selection", "train"), default="test", help="which sequences (default: test)"
    )
    evaluating.add_argument("--limit", metavar="N", type=positive, help="at most N transitions")
    evaluating.add_argument("--seed", metavar="S", type=int, default=0)
    add_json(evaluating)
    evaluating.set_defaults(handler=evaluate_checkpoint)


def evaluate_checkpoint(given: argparse.Namespace, out: Output) -> int:
    """Measure, keep the figures in the history, and print them."""
    from swirl.evaluation import evaluate
    from swirl.history import History
    from swirl.models import load_world_model
    from swirl.sources.collection import get_collection

    get_collection(given.home, given.data)  # an unknown name fails before a model is loaded
    model = load_world_model(given.home, given.checkpoint, device=given.device)
    report = evaluate(
        model, given.home, given.data, part=given.part, limit=given.limit, seed=given.seed, progress=out.progress
    )
    metrics = {name: dataclasses.asdict(value) for name, value in report.metrics.items()}
    history = History(given.home)
    evaluation = history.add_evaluation(checkpoint=given.checkpoint, data=given.data, metrics=metrics)
    history.keep_cases(evaluation, report.cases)
    out.document(
        {
            "checkpoint": given.checkpoint,
            "data": given.data,
            "part": report.part,
            "transitions": report.transitions,
            "metrics": metrics,
        }
    )
    rows = [[name, *(shown(value[key]) for key in ("value", "low", "high"))] for name, value in metrics.items()]
    out.line(f"{given.checkpoint} on {report.transitions} transitions of {given.data} ({report.part})")
    out.line(table(["METRIC", "VALUE", "LOW", "HIGH"], rows))
    return 0


def shown(value: float | None) -> str:
    """A figure for people."""
    return "–" if value is None else f"{value:.4f}"
