"""`swirl export`: write a checkpoint as a folder that runs as a Hugging Face Space."""

from __future__ import annotations

import argparse
from pathlib import Path

from swirl.cli.arguments import CHECKPOINT_NAMES, add_json
from swirl.cli.output import Output
from swirl.errors import UsageError


def add_command(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    exporting = commands.add_parser(
        "export",
        help="write a checkpoint as a folder that runs as a Hugging Face Space",
        description="Writes a folder with the studio, the checkpoint and pinned requirements, which runs as a Hugging "
        "Face Space or on any machine. Nothing else from the home is copied.",
    )
    exporting.add_argument("checkpoint", metavar="CHECKPOINT", help=CHECKPOINT_NAMES)
    exporting.add_argument("--space", metavar="DIR", type=Path, required=True, help="new or empty folder")
    exporting.add_argument(
        "--upload",
        metavar="OWNER/NAME",
        help="also upload it to the Hub as this Space, with the token from HF_TOKEN or `hf auth login`",
    )
    exporting.add_argument("--private", action="store_true", help="with --upload: only you can see the Space")
    add_json(exporting)
    exporting.set_defaults(handler=export_checkpoint)


def export_checkpoint(args: argparse.Namespace, out: Output) -> int:
    """Write the folder of the Space, upload it if asked to, and print how to try it."""
    from swirl.models.hub import require_write_token, upload
    from swirl.sharing.space import export_space

    if args.private and not args.upload:
        raise UsageError("--private applies to an uploaded Space; it needs --upload OWNER/NAME.")
    if args.upload:
        require_write_token(args.upload, None)  # fails before anything is written
    files = export_space(args.home, args.checkpoint, args.space)
    out.print_line(f"Wrote {len(files)} files to {args.space}.")
    address = None
    if args.upload:
        out.print_note(f"Uploading to {args.upload}.")
        address = upload(args.space.expanduser(), args.upload, kind="space", token=None, private=args.private)
        out.print_line(f"The Space is at {address}; it takes some minutes to build before it starts.")
    out.print_document({"space": str(args.space), "files": files, "address": address})
    out.print_note(f"To try it on this machine: cd {args.space} && pip install -r requirements.txt && python app.py")
    return 0
