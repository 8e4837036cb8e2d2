"""`swirl clone`: train policies on inferred and on true actions, and see in the simulator which reach their goals."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from swirl.cli.arguments import CHECKPOINT_NAMES, add_checkpoint, add_json, positive_integer
from swirl.cli.output import Output, format_table
from swirl.errors import UsageError

if TYPE_CHECKING:
    from swirl.cli.clone_steps import Cloned
    from swirl.evaluation.bootstrap import Estimate

SEQUENCES = (50, 200)
GOALS = 40


def add_command(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    cloning = commands.add_parser(
        "clone",
        help="train policies on the actions that a model infers, and measure them in the simulator",
        description="Infers the actions of sequences, trains a policy on them by behaviour cloning (from a state and a "
        "goal to the next action), trains another one on the true actions, and counts in the simulator how many goals "
        "both reach, beside the inverse model itself and random actions. Ctrl-C keeps the actions, policies and "
        "outcomes so far: the same command continues.",
    )
    add_checkpoint(cloning)
    cloning.add_argument("--data", metavar="NAME", required=True, help="collection, recorded from a world")
    cloning.add_argument(
        "--sequences",
        metavar="N",
        nargs="+",
        type=positive_integer,
        default=list(SEQUENCES),
        help="train policies on N sequences of the training part, for each N (default: 50 200)",
    )
    cloning.add_argument(
        "--goals-from",
        metavar="NAME",
        help="collection that goals are taken from; all of its sequences count as held out (default: the test part of "
        "--data)",
    )
    cloning.add_argument(
        "--goals",
        metavar="N",
        type=positive_integer,
        default=GOALS,
        help=f"goals of each distance, 1, 2, 3, 4 and 6 steps (default: {GOALS})",
    )
    cloning.add_argument(
        "--base",
        metavar="MODEL",
        help=f"model whose base the policies are trained on (default: that of CHECKPOINT): {CHECKPOINT_NAMES}, or a "
        "plain model",
    )
    cloning.add_argument(
        "--from-idm",
        action="store_true",
        help="go on from the inverse model's adapter, not from a new one",
    )
    cloning.add_argument(
        "--steps", metavar="N", type=positive_integer, help="optimiser steps of each policy, of 32 rows (default: 300)"
    )
    cloning.add_argument("--learning-rate", metavar="R", type=float, help="learning rate (default: 0.002)")
    cloning.add_argument(
        "--seeds",
        metavar="S",
        nargs="+",
        type=int,
        default=[0],
        help="random seeds; each draws its sequences and trains its policies (default: 0)",
    )
    cloning.add_argument(
        "--out",
        metavar="DIR",
        type=Path,
        help="folder of the inferred actions, the rows to train on and the policies (default: policies/ in the home)",
    )
    add_json(cloning)
    cloning.set_defaults(handler=clone)


def clone(args: argparse.Namespace, out: Output) -> int:
    """Train and measure the policies, keep the figures in the history, and print them."""
    from swirl.cli.clone_steps import clone_policies
    from swirl.history import History

    if args.base and args.from_idm:
        raise UsageError("--from-idm goes on from the adapter of CHECKPOINT, which does not fit --base; leave one out.")
    args.sequences, args.seeds = sorted(set(args.sequences)), list(dict.fromkeys(args.seeds))
    cloned = clone_policies(args, out)
    metrics = {name: dataclasses.asdict(value) for name, value in cloned.metrics.items()}
    # Kept beside the collection's other figures, which would otherwise be hidden by the newer ones.
    History(args.home).add_evaluation(checkpoint=args.checkpoint, data=f"{args.data}, policies", metrics=metrics)
    out.print_document(
        {
            "checkpoint": args.checkpoint,
            "data": args.data,
            "goals_from": cloned.goals_from,
            "goals": cloned.goals,
            "sequences": args.sequences,
            "seeds": args.seeds,
            "rows": cloned.rows,
            "inferred_exact_match": cloned.exact_match,
            "demonstrations": str(cloned.demonstrations),
            "policies": [str(folder) for folder in cloned.policies],
            "metrics": metrics,
            "by_seed": cloned.by_seed,
        }
    )
    print_cloned(args, cloned, out)
    return 0


def print_cloned(args: argparse.Namespace, cloned: Cloned, out: Output) -> None:
    """Print one row for each policy: the share of goals that it reaches, at each distance and in all."""
    out.print_line(
        f"{args.checkpoint}: policies on {args.data}, share of goals of {cloned.goals_from} that are reached"
    )
    titles = {"idm": "inverse model itself", "random": "random actions"}
    for size in args.sequences:
        titles |= {
            f"inferred_{size}": f"{size} sequences, inferred actions",
            f"true_{size}": f"{size} sequences, true actions",
            f"difference_{size}": f"{size} sequences, inferred − true",
        }
    rows = [
        [title, *policy_cells(cloned, name)] for name, title in titles.items() if f"policy/{name}" in cloned.metrics
    ]
    out.print_line(format_table(["POLICY", *(f"{steps} AWAY" for steps in cloned.goals), "ALL"], rows))
    if cloned.exact_match is not None:
        out.print_line(
            f"Of the inferred actions of steps that changed something, {cloned.exact_match:.3f} are the true ones."
        )
    out.print_note(f"Policies and the rows they were trained on: {cloned.folder}")


def policy_cells(cloned: Cloned, name: str) -> list[str]:
    """The figures of a policy at each distance, and that of all goals with its interval."""
    cells = [f"{cloned.metrics[f'policy/{name}@{steps}'].value:.2f}" for steps in cloned.goals]
    found: Estimate = cloned.metrics[f"policy/{name}"]
    return [*cells, f"{found.value:.2f} [{found.low:.2f}, {found.high:.2f}]"]
