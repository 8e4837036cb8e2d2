"""`swirl import`: look into, read, check and register sequences of states."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from swirl.cli.arguments import add_json
from swirl.cli.output import Output
from swirl.errors import SwirlError, UsageError

if TYPE_CHECKING:
    from swirl.sources.collections.previewing import ImportPreview
    from swirl.sources.formats.import_options import ImportOptions

SAMPLE_CHARACTERS = 160
"""How much of a text a preview prints."""


def add_command(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    importing = commands.add_parser(
        "import",
        help="read, check and register your own sequences",
        description="Reads what you hold as it is: texts, logs of agents, pictures and videos, robot and simulator "
        "episodes, tables of Hugging Face datasets, archives. What it is is found by looking into it; "
        "docs/data-formats.md lists the formats. Names each line or frame that cannot be read, with the reason, and "
        "imports the rest. An import that was stopped goes on where it was when it is given again.",
    )
    importing.add_argument("path", metavar="PATH", type=Path, help="file or folder")
    importing.add_argument("--name", metavar="NAME", help="name of the collection (default: that of the file)")
    importing.add_argument("--preview", action="store_true", help="say what would be imported, and store nothing")
    importing.add_argument(
        "--as",
        metavar="FORMAT",
        dest="source_format",
        help="read it as this format, whatever it looks like; an unknown one lists them",
    )
    importing.add_argument(
        "--every",
        metavar="N",
        type=frame_step,
        help="take every N-th frame, or with a unit one frame in each interval, such as 0.5s (default: 0.5s of videos, "
        "every frame of recorded episodes and of folders of pictures)",
    )
    importing.add_argument(
        "--keep-duplicates", action="store_true", help="videos: keep frames that look the same as the one before"
    )
    importing.add_argument(
        "--keep-cuts", action="store_true", help="videos: do not start a new sequence where the scene changes"
    )
    importing.add_argument(
        "--camera", metavar="NAME", help="episodes with several cameras: the one to take (default: the first by name)"
    )
    for column, what in (
        ("state", "the states: texts, pictures, films, or lists of them"),
        ("episode", "what tells sequences apart; none if all rows are one"),
        ("order", "the place of a row in its sequence; none for the order of the file"),
    ):
        importing.add_argument(f"--{column}-column", metavar="NAME", help=f"tables: the column that holds {what}")
    add_json(importing)
    importing.set_defaults(handler=import_path)


def frame_step(text: str) -> dict[str, int | float]:
    """Parse a step between video frames into arguments of ImportOptions; argparse reports anything else."""
    from swirl.sources.formats.import_options import parse_every

    try:
        return parse_every(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error).rstrip(".")) from error


def import_options(args: argparse.Namespace) -> ImportOptions:
    """The options of an import."""
    from swirl.sources.formats.import_options import ImportOptions

    names = ("keep_duplicates", "keep_cuts", "camera", "state_column", "episode_column", "order_column")
    return ImportOptions(**(args.every or {}), **{name: getattr(args, name) for name in names})


def import_path(args: argparse.Namespace, out: Output) -> int:
    """Import sequences; print how many were read, and each skipped place with its reason."""
    from swirl.sources.collections.catalog import import_collection
    from swirl.sources.collections.previewing import preview_import

    if args.preview:
        print_preview(preview_import(args.path, import_options(args), args.source_format), out)
        return 0
    try:
        report = import_collection(
            args.home, args.path, args.name, out.show_progress, import_options(args), args.source_format
        )
    except KeyboardInterrupt:
        raise SwirlError("Stopped; nothing is imported yet, and the same command goes on where it was.") from None
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


def print_preview(preview: ImportPreview, out: Output) -> None:
    """Print what an import would store."""
    texts = [state.text[:SAMPLE_CHARACTERS] for state in preview.samples if state.picture is None]
    out.print_document(
        {
            "format": preview.format,
            "kind": preview.kind,
            "sequences": preview.sequences,
            "complete": preview.is_complete,
            "lengths": list(preview.lengths),
            "cameras": list(preview.cameras),
            "actions": preview.has_actions,
            "samples": texts,
            "notes": [dataclasses.asdict(note) for note in preview.notes],
        }
    )
    kind = "pictures" if preview.kind == "image" else "texts"
    actions = ", with true actions" if preview.has_actions else ""
    out.print_line(f"{preview.path.name}: {preview.title} ({preview.format}); {preview.summary}; {kind}{actions}.")
    if len(preview.cameras) > 1:
        out.print_line(f"Cameras: {', '.join(preview.cameras)}.")
    for text in texts:
        out.print_line(f"  {' '.join(text.split())}")
    for note in preview.notes:
        out.print_note(f"note: {note}")
    out.print_note("Nothing was stored; leave --preview out to import it.")
