"""`swirl push`: upload a checkpoint to the Hugging Face Hub."""

from __future__ import annotations

import argparse

from swirl.cli.arguments import CHECKPOINT_NAMES, add_json
from swirl.cli.output import Output


def add_command(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    pushing = commands.add_parser(
        "push",
        help="put a checkpoint on the Hugging Face Hub",
        description="Uploads the two adapters as peft has them, their base model unless it is on the Hub, and a model "
        "card with the scores, with the token of HF_TOKEN or of `hf auth login`. Anywhere else the checkpoint is then "
        "called hub:OWNER/NAME.",
    )
    pushing.add_argument("checkpoint", metavar="CHECKPOINT", help=CHECKPOINT_NAMES)
    pushing.add_argument("--to", metavar="OWNER/NAME", required=True, help="the repository, made if need be")
    pushing.add_argument("--private", action="store_true", help="a new repository is seen by you alone")
    add_json(pushing)
    pushing.set_defaults(handler=push_checkpoint)


def push_checkpoint(args: argparse.Namespace, out: Output) -> int:
    """Upload the checkpoint and say how it is called from now on."""
    from swirl.sharing.hub_upload import push_to_hub

    out.print_note(f"Uploading {args.checkpoint} to {args.to}.")
    address = push_to_hub(args.home, args.checkpoint, args.to, private=args.private)
    out.print_document({"checkpoint": args.checkpoint, "address": address, "name": f"hub:{args.to}"})
    out.print_line(f"{address}: anywhere else its name is hub:{args.to}")
    return 0
