"""`swirl partners`: exchange the partners of checkpoints, to see whether a pair has a private code."""

from __future__ import annotations

import argparse
import dataclasses
from typing import TYPE_CHECKING, Any

from swirl.cli.arguments import CHECKPOINT_NAMES, add_checkpoint, add_json, add_seed, positive_integer
from swirl.cli.evaluate import format_figure
from swirl.cli.output import Output, format_table
from swirl.cli.stoppable_work import checkpoint_opener, stoppable_answers
from swirl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from swirl.evaluation.bootstrap import Estimate
    from swirl.evaluation.partner_exchange import Exchanges


def add_command(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    exchanging = commands.add_parser(
        "partners",
        help="exchange a model's partner with that of another checkpoint: do they have a private code?",
        description="Lets the forward model of a checkpoint act on the actions that other checkpoints infer, and the "
        "other way round. What both lose by that, beyond what the other's actions are worse for everybody, is the "
        "code that only a model and its own partner understand. One checkpoint is loaded at a time. Ctrl-C stops the "
        "work and keeps the answers so far: the same command continues from there.",
    )
    add_checkpoint(exchanging)
    exchanging.add_argument(
        "--with",
        metavar="CHECKPOINT",
        action="append",
        dest="partners",
        required=True,
        help=f"checkpoint to exchange with; give it several times for several. {CHECKPOINT_NAMES}",
    )
    exchanging.add_argument("--data", metavar="NAME", required=True, help="collection")
    exchanging.add_argument(
        "--part", choices=("test", "selection", "train"), default="test", help="part of the sequences (default: test)"
    )
    exchanging.add_argument("--limit", metavar="N", type=positive_integer, help="use at most N transitions")
    add_seed(exchanging, "the same seed draws the same transitions")
    add_json(exchanging)
    exchanging.set_defaults(handler=exchange)


def exchange(args: argparse.Namespace, out: Output) -> int:
    """Exchange the partners and print the figures of each exchange with a verdict."""
    from swirl.models.checkpoints import locate_checkpoint

    names = [args.checkpoint, *args.partners]
    places = [locate_checkpoint(args.home, name) for name in names]  # an unknown name fails before a model is loaded
    for place, name in enumerate(names):
        if places[place] in places[:place]:
            raise UsageError(
                f"{name} is the same checkpoint as {names[places.index(places[place])]}; name each checkpoint once."
            )
    from swirl.evaluation.partner_exchange import exchange_partners
    from swirl.evaluation.report import draw_part

    transitions, true_actions, part = draw_part(args.home, args.data, args.part, args.limit, args.seed)
    settings = {"partners": True} | {name: getattr(args, name) for name in ("part", "limit", "seed", "device")}
    with stoppable_answers(args, names, settings, out) as options:
        done = exchange_partners(
            checkpoint_opener(args), args.checkpoint, args.partners, transitions, true_actions, **options
        )
    out.print_document(exchange_document(args, part, done))
    out.print_line(f"{args.checkpoint} on {len(transitions)} transitions of {args.data} ({part})")
    print_exchanges(done, out)
    return 0


def exchange_document(args: argparse.Namespace, part: str, done: Exchanges) -> dict[str, Any]:
    """The figures of all exchanges as JSON."""
    truth = done.truth_figures()
    exchanges = []
    for one in done.exchanges:
        verdict = one.verdict(truth_gap=truth.get("log_prob/truth_gap"))
        figures = as_json(one.figures())
        exchanges.append(
            {
                "with": one.partner,
                "mastered": one.mastered,
                "figures": figures,
                "private": verdict.is_private,
                "verdict": verdict.sentence,
            }
        )
    return {
        "checkpoint": args.checkpoint,
        "data": args.data,
        "part": part,
        "transitions": len(done.transitions),
        "truth": as_json(truth),
        "exchanges": exchanges,
    }


def as_json(figures: Mapping[str, Estimate]) -> dict[str, dict[str, float]]:
    """Figures as JSON, each with its value and the ends of its interval."""
    return {name: dataclasses.asdict(value) for name, value in figures.items()}


def print_exchanges(done: Exchanges, out: Output) -> None:
    """Print a table of the figures of each exchange, each with its verdict below."""
    truth = done.truth_figures()
    if truth:
        out.print_line()
        out.print_line("Under the true actions (the gap is own minus true)")
        out.print_line(figures_table(truth))
    for one in done.exchanges:
        out.print_line()
        out.print_line(f"With {one.partner}: both predict {one.mastered} transitions that change something")
        out.print_line(figures_table(one.figures()))
        out.print_line(one.verdict(truth_gap=truth.get("log_prob/truth_gap")).sentence)


def figures_table(figures: Mapping[str, Estimate]) -> str:
    """Figures with their intervals as a table."""
    rows = [[name, *map(format_figure, (value.value, value.low, value.high))] for name, value in figures.items()]
    return format_table(["FIGURE", "VALUE", "LOW", "HIGH"], rows)
