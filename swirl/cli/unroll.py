"""`swirl unroll`: predict several steps ahead from the model's own predictions, beside the observed states."""

from __future__ import annotations

import argparse
import dataclasses
from typing import TYPE_CHECKING, Any

from swirl.cli.arguments import add_checkpoint, add_json, add_seed, positive_integer
from swirl.cli.imagined_states import save_imagined_state
from swirl.cli.model_loading import loaded_model
from swirl.cli.output import Output, format_table
from swirl.errors import SwirlError, UsageError
from swirl.states import StateSequence

if TYPE_CHECKING:
    from pathlib import Path

    from swirl.evaluation.unrolling import Likeness, Rollout

DEFAULT_STEPS = 6
"""Default number of steps; fewer where the sequence ends earlier."""


def add_command(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    unrolling = commands.add_parser(
        "unroll",
        help="predict several steps ahead from the model's own predictions",
        description="Predicts T steps from one state of a sequence; at each step the FWM reads its own last "
        "prediction. The actions are given, or inferred from the observed states. Each imagined state is compared "
        "with the observed one, beside the start state as a baseline. Pictures are written to imagined/ in the home.",
    )
    add_checkpoint(unrolling)
    unrolling.add_argument("--data", metavar="NAME", required=True, help="collection")
    unrolling.add_argument("--sequence", metavar="ID", help="id of the sequence (default: the first)")
    unrolling.add_argument(
        "--start", metavar="K", type=int, default=0, help="number of the state to start from (default: 0)"
    )
    unrolling.add_argument(
        "--steps",
        metavar="T",
        type=positive_integer,
        help=f"number of steps (default: one for each --action, else {DEFAULT_STEPS} or as many as were observed)",
    )
    unrolling.add_argument(
        "--action",
        metavar="A",
        action="append",
        dest="actions",
        help="action of the next step, in words; give it once for each step (default: the inferred actions)",
    )
    unrolling.add_argument(
        "--best-of",
        metavar="N",
        type=positive_integer,
        default=1,
        help="at each step sample N states at temperature 1 and keep the one for which the IDM gives the action the "
        "highest log-probability (default: 1, the greedy state)",
    )
    add_seed(unrolling, "the same seed gives the same states")
    add_json(unrolling)
    unrolling.set_defaults(handler=unroll_sequence)


def unroll_sequence(args: argparse.Namespace, out: Output) -> int:
    """Imagine the steps and print each beside the observed state."""
    from swirl.evaluation.unrolling import check_rollout_possible, unroll
    from swirl.sources.collections.catalog import load_sequences

    sequence = find_sequence(load_sequences(args.home, args.data), args.sequence, args.data)
    ahead = max(1, len(sequence.states) - 1 - args.start)
    steps = args.steps or (len(args.actions) if args.actions else min(DEFAULT_STEPS, ahead))
    check_rollout_possible(sequence, args.start, steps, args.actions)  # before a model is loaded
    options = {"actions": args.actions, "best_of": args.best_of, "seed": args.seed, "progress": out.show_progress}
    with loaded_model(args) as model:
        rollout = unroll(model, sequence, args.start, steps, **options)
    rows = describe_steps(args.home, rollout)
    out.print_document(
        {
            "checkpoint": args.checkpoint,
            "data": args.data,
            "sequence": sequence.id,
            "start": args.start,
            "given": rollout.has_given_actions,
            "best_of": args.best_of,
            "seed": args.seed,
            "steps": rows,
        }
    )
    origin = "as given" if rollout.has_given_actions else "inferred from the observed states"
    out.print_line(f"{args.checkpoint} from state {args.start} of {sequence.id} in {args.data}; actions {origin}")
    print_rows(rows, rollout, out)
    return 0


def find_sequence(sequences: list[StateSequence], name: str | None, data: str) -> StateSequence:
    """Return the sequence with that id, or the first without an id.

    Raises UsageError for an unknown id, SwirlError for an empty collection.
    """
    match = next((sequence for sequence in sequences if name in (None, sequence.id)), None)
    if match is not None:
        return match
    if not sequences:
        raise SwirlError(f"The collection {data!r} holds no sequences; choose another.")
    examples = ", ".join(sequence.id for sequence in sequences[:3])
    raise UsageError(f"The collection {data!r} has no sequence {name!r}; it has {len(sequences)}, such as {examples}.")


def describe_steps(home: Path, rollout: Rollout) -> list[dict[str, Any]]:
    """Return one row for each step, as --json prints it; a picture is the path of its file."""
    rows: list[dict[str, Any]] = []
    for index, (action, state) in enumerate(zip(rollout.actions, rollout.states, strict=True)):
        rows.append(
            {
                "step": index + 1,
                "action": action,
                "imagined": save_imagined_state(home, state),
                "observed": save_imagined_state(home, rollout.truth[index]) if index < len(rollout.truth) else None,
                "likeness": likeness_at(rollout.likeness, index),
                "copy": likeness_at(rollout.copy_likeness, index),
            }
        )
    return rows


def likeness_at(likeness: tuple[Likeness, ...], index: int) -> dict[str, float | None] | None:
    """Return the likeness at a step for JSON; None where no state was observed."""
    return dataclasses.asdict(likeness[index]) if index < len(likeness) else None


def print_rows(rows: list[dict[str, Any]], rollout: Rollout, out: Output) -> None:
    """Print the steps, then how close each came to the observed state, beside the start state as the prediction."""
    for row in rows:
        out.print_line(
            f"{row['step']}\t{row['action']}\n\timagined: {row['imagined']}\n\tobserved: {row['observed'] or '–'}"
        )
    if not rollout.likeness:
        return
    names = ["exact_match", "token_accuracy", *(["psnr"] if rollout.likeness[0].psnr is not None else [])]
    headings = ["STEP", *(heading for name in names for heading in (name.upper(), f"{name.upper()} (COPY)"))]
    compared = [row for row in rows if row["likeness"] is not None]
    cells = [
        [str(row["step"]), *(f"{row[whose][name]:.3f}" for name in names for whose in ("likeness", "copy"))]
        for row in compared
    ]
    out.print_line(format_table(headings, cells))
