"""`swirl import`: read, check and register sequences of states."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from swirl.cli.arguments import add_json
from swirl.cli.output import Output
from swirl.errors import UsageError


def add_command(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    importing = commands.add_parser(
        "import",
        help="read, check and register your own sequences",
        description="Reads texts (JSONL, CSV, TSV, plain text, or a folder of such files), logs of agents, or pictures "
        "(a folder of frames, a folder of such folders, a zip file of either, videos, or arrays in npy, npz or HDF5 "
        "files). Names each line or frame that cannot be read, with the reason, and imports the rest.",
    )
    importing.add_argument("path", metavar="PATH", type=Path, help="file or folder")
    importing.add_argument("--name", metavar="NAME", help="name of the collection (default: that of the file)")
    importing.add_argument(
        "--every",
        metavar="N",
        type=frame_step,
        help="videos: take every N-th frame, or with a unit one frame in each interval, such as 0.5s (default: 0.5s)",
    )
    importing.add_argument(
        "--keep-duplicates", action="store_true", help="videos: keep frames that look the same as the one before"
    )
    importing.add_argument(
        "--keep-cuts", action="store_true", help="videos: do not start a new sequence where the scene changes"
    )
    importing.add_argument(
        "--camera", metavar="NAME", help="files of arrays with several cameras: the one to take (default: the first)"
    )
    add_json(importing)
    importing.set_defaults(handler=import_path)


def frame_step(text: str) -> dict[str, int | float]:
    """Parse a step between video frames into arguments of ImportOptions; argparse reports anything else."""
    from swirl.sources.formats.import_options import parse_every

    try:
        return parse_every(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error).rstrip(".")) from error


def import_path(args: argparse.Namespace, out: Output) -> int:
    """Import sequences; print how many were read, and each skipped place with its reason."""
    from swirl.sources.collections.catalog import import_collection
    from swirl.sources.formats.import_options import ImportOptions

    filters = {"keep_duplicates": args.keep_duplicates, "keep_cuts": args.keep_cuts, "camera": args.camera}
    options = ImportOptions(**(args.every or {}), **filters)
    report = import_collection(args.home, args.path, args.name, progress=out.show_progress, options=options)
    skipped = [dataclasses.asdict(item) for item in report.skipped]
    out.print_document(
        {
            "name": report.name,
            "sequences": report.sequences,
            "transitions": report.transitions,
            "skipped": skipped,
        }
    )
    for item in skipped:
        out.print_note(f"skipped {item['where']}: {item['why']}")
    out.print_line(
        f"Imported {report.name}: {report.sequences} sequences, {report.transitions} transitions, "
        f"{len(skipped)} skipped."
    )
    return 0
