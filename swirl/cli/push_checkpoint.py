"""`swirl push`: upload a checkpoint to the Hugging Face Hub."""

from __future__ import annotations

import argparse

from swirl.cli.arguments import CHECKPOINT_NAMES, add_json
from swirl.cli.output import Output


def add_command(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    pushing = commands.add_parser(
        "push",
        help="upload a checkpoint to the Hugging Face Hub",
        description="Uploads the two adapters in the format of peft, their base model unless it is on the Hub, and a "
        "model card with the scores. Uses the token from HF_TOKEN or `hf auth login`. Afterwards, hub:OWNER/NAME names "
        "the checkpoint on any machine.",
    )
    pushing.add_argument("checkpoint", metavar="CHECKPOINT", help=CHECKPOINT_NAMES)
    pushing.add_argument(
        "--to", metavar="OWNER/NAME", required=True, help="repository on the Hub; created if it does not exist"
    )
    pushing.add_argument(
        "--private", action="store_true", help="create a new repository as private, so that only you can see it"
    )
    add_json(pushing)
    pushing.set_defaults(handler=push_checkpoint)


def push_checkpoint(args: argparse.Namespace, out: Output) -> int:
    """Upload the checkpoint, and print its address and the name to load it by."""
    from swirl.sharing.hub_upload import push_to_hub

    out.print_note(f"Uploading {args.checkpoint} to {args.to}.")
    address = push_to_hub(args.home, args.checkpoint, args.to, private=args.private)
    out.print_document({"checkpoint": args.checkpoint, "address": address, "name": f"hub:{args.to}"})
    out.print_line(f"{address} (load it anywhere as hub:{args.to})")
    return 0
