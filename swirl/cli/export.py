"""`swirl export`: write a collection as a file, or a checkpoint as a folder that runs as a Hugging Face Space."""

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
        help="write a collection as JSONL or Parquet, or a checkpoint as a folder that runs as a Hugging Face Space",
        description="With --out, writes a collection to a file that `swirl import` reads again. With --space, writes "
        "a folder with the studio, a checkpoint and pinned requirements, which runs as a Hugging Face Space or on any "
        "machine; nothing else from the home is copied.",
    )
    exporting.add_argument(
        "name", metavar="NAME", help=f"with --out, a collection; with --space, a checkpoint: {CHECKPOINT_NAMES}"
    )
    target = exporting.add_mutually_exclusive_group(required=True)
    target.add_argument(
        "--out",
        metavar="FILE",
        type=Path,
        help="new file, as JSONL or Parquet by its suffix (.jsonl, .parquet); JSONL has pictures in a frames.zip "
        "beside it",
    )
    target.add_argument("--space", metavar="DIR", type=Path, help="new or empty folder")
    exporting.add_argument(
        "--actions",
        action="store_true",
        help="with --out: also write the collection's true actions, as a column of Parquet or as an actions.jsonl "
        "beside JSONL",
    )
    exporting.add_argument(
        "--upload",
        metavar="OWNER/NAME",
        help="also upload it to the Hub as this Space, with the token from HF_TOKEN or `hf auth login`",
    )
    exporting.add_argument("--private", action="store_true", help="with --upload: only you can see the Space")
    add_json(exporting)
    exporting.set_defaults(handler=export)


def export(args: argparse.Namespace, out: Output) -> int:
    """Export a collection or a checkpoint, as the options say."""
    if args.out:
        if args.upload or args.private:
            raise UsageError("--upload and --private apply to a Space; they need --space DIR.")
        return export_data(args, out)
    if args.actions:
        raise UsageError("--actions applies to a collection; it needs --out FILE.")
    return export_checkpoint(args, out)


def export_data(args: argparse.Namespace, out: Output) -> int:
    """Write the collection's file, and print what is in it."""
    from swirl.exports.state_sequences import export_collection

    file = args.out.expanduser()
    done = export_collection(args.home, args.name, file, with_actions=args.actions, progress=out.show_progress)
    files = [str(file) for file in done.files]
    out.print_document({"files": files, "sequences": done.sequences, "states": done.states})
    out.print_line(f"Wrote {done.sequences} sequences with {done.states} states to {', '.join(files)}.")
    return 0


def export_checkpoint(args: argparse.Namespace, out: Output) -> int:
    """Write the folder of the Space, upload it if asked to, and print how to try it."""
    from swirl.models.hub import require_write_token, upload
    from swirl.sharing.space import export_space

    if args.private and not args.upload:
        raise UsageError("--private applies to an uploaded Space; it needs --upload OWNER/NAME.")
    if args.upload:
        require_write_token(args.upload, None)  # fails before anything is written
    files = export_space(args.home, args.name, args.space)
    out.print_line(f"Wrote {len(files)} files to {args.space}.")
    address = None
    if args.upload:
        out.print_note(f"Uploading to {args.upload}.")
        address = upload(args.space.expanduser(), args.upload, kind="space", token=None, private=args.private)
        out.print_line(f"The Space is at {address}; it takes some minutes to build before it starts.")
    out.print_document({"space": str(args.space), "files": files, "address": address})
    out.print_note(f"To try it on this machine: cd {args.space} && pip install -r requirements.txt && python app.py")
    return 0
