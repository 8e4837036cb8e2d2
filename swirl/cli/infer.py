"""`swirl infer`: infer the latent action of each transition of a collection."""

from __future__ import annotations

import argparse

from swirl.cli.arguments import add_checkpoint, add_json, add_seed, positive_integer
from swirl.cli.model_loading import loaded_model
from swirl.cli.output import Output


def add_command(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    inferring = commands.add_parser(
        "infer",
        help="infer the latent action of each transition of a collection",
        description="Prints the action that the IDM infers for each transition, in the order of the data, with its "
        "log-probability in nats. --json also lists the alternatives.",
    )
    add_checkpoint(inferring)
    inferring.add_argument("--data", metavar="NAME", required=True, help="collection")
    inferring.add_argument("--limit", metavar="N", type=positive_integer, help="infer only the first N transitions")
    inferring.add_argument(
        "--alternatives",
        metavar="K",
        type=positive_integer,
        default=4,
        help="number of candidate actions for each transition (default: 4)",
    )
    add_seed(inferring, "the same seed gives the same actions")
    add_json(inferring)
    inferring.set_defaults(handler=infer_actions)


def infer_actions(args: argparse.Namespace, out: Output) -> int:
    """Print the action that the IDM infers for each transition of a collection, in the order of the data."""
    from swirl.sources.collections.catalog import load_sequences

    transitions = [item for sequence in load_sequences(args.home, args.data) for item in sequence.transitions()]
    transitions = transitions[: args.limit]
    pairs = [(item.state, item.next_state) for item in transitions]
    with loaded_model(args) as model:
        inferences = model.infer(pairs, alternatives=args.alternatives, seed=args.seed, progress=out.show_progress)
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
    return 0
