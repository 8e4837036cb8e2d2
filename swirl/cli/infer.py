"""`swirl infer`: infer the latent action of each transition of a collection."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from swirl.cli.arguments import add_checkpoint, add_json, add_seed, positive_integer
from swirl.cli.model_loading import loaded_model
from swirl.cli.output import Output
from swirl.cli.stoppable_work import stop_on_request

if TYPE_CHECKING:
    from swirl.models.results import Inference
    from swirl.states import Transition


def add_command(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    inferring = commands.add_parser(
        "infer",
        help="infer the latent action of each transition of a collection",
        description="Prints the action that the IDM infers for each transition, in the order of the data, with its "
        "log-probability in nats; --json also lists the alternatives. --out writes them to a file instead, a row for "
        "each state. Ctrl-C keeps the actions so far, and the same command continues from there.",
    )
    add_checkpoint(inferring)
    inferring.add_argument("--data", metavar="NAME", required=True, help="collection")
    inferring.add_argument(
        "--out",
        metavar="FILE",
        type=Path,
        help="write them to this new file, as JSONL or Parquet by its suffix (.jsonl, .parquet)",
    )
    inferring.add_argument("--limit", metavar="N", type=positive_integer, help="infer only the first N transitions")
    inferring.add_argument(
        "--alternatives",
        metavar="K",
        type=positive_integer,
        default=4,
        help="number of candidate actions for each transition (default: 4)",
    )
    inferring.add_argument(
        "--by-both-models",
        action="store_true",
        help="rank the candidates by both models, log Q(z|x,y) + log P(y|x,z), instead of the inverse model alone",
    )
    add_seed(inferring, "the same seed gives the same actions")
    add_json(inferring)
    inferring.set_defaults(handler=infer_actions)


def infer_actions(args: argparse.Namespace, out: Output) -> int:
    """Infer the action of each transition of a collection; write them to a file or print them, in the data's order."""
    from swirl.exports.latent_actions import write_latent_actions
    from swirl.exports.new_files import check_new_file
    from swirl.sources.collections.catalog import load_sequences

    file = args.out and args.out.expanduser()
    if file:
        check_new_file(file)  # fails before a model is loaded
    sequences = load_sequences(args.home, args.data)
    transitions = [item for sequence in sequences for item in sequence.transitions()][: args.limit]
    with inferred_actions(args, out, transitions) as inferences:
        if file:
            count = write_latent_actions(file, sequences, inferences)
            out.print_document({"checkpoint": args.checkpoint, "data": args.data, "file": str(file), "actions": count})
            out.print_line(f"Wrote {count} inferred actions to {file}.")
        else:
            print_actions(args, out, transitions, inferences)
    return 0


@contextmanager
def inferred_actions(
    args: argparse.Namespace, out: Output, transitions: Sequence[Transition]
) -> Iterator[Iterator[Inference]]:
    """The inferred actions of the transitions, computed as they are consumed, and kept until the block has succeeded.

    Raises SwirlError when Ctrl-C or SIGTERM stops the inference; the same command then continues from there.
    """
    from swirl.evaluation.answer_cache import open_answer_cache
    from swirl.exports.resumable_inference import infer_in_batches

    options = {name: getattr(args, name) for name in ("alternatives", "by_both_models", "seed")}
    settings = {"task": "infer", "limit": args.limit, "device": args.device, **options}
    answers = open_answer_cache(args.home, args.checkpoint, args.data, settings)
    try:
        if answers.answers_loaded:
            out.print_note(f"Continuing from {answers.answers_loaded} inferred actions.")
        with loaded_model(args) as model, stop_on_request("actions") as watch:
            yield infer_in_batches(model, transitions, answers, **options, progress=out.show_progress, watch=watch)
        answers.remove()
    finally:
        answers.close()


def print_actions(
    args: argparse.Namespace, out: Output, transitions: Sequence[Transition], inferences: Iterable[Inference]
) -> None:
    """Print the actions with their log-probabilities; with --json their alternatives too."""
    rows = [
        {
            "sequence": transition.sequence_id,
            "step": transition.step,
            "action": inference.action,
            "log_prob": inference.log_prob,
            "alternatives": [{"action": a.action, "log_prob": a.log_prob} for a in inference.alternatives],
        }
        for transition, inference in zip(transitions, inferences, strict=True)
    ]
    out.print_document({"checkpoint": args.checkpoint, "data": args.data, "transitions": rows})
    for row in rows:
        out.print_line(f"{row['sequence']}\t{row['step']}\t{row['action']}\t{row['log_prob']:.3f}")
