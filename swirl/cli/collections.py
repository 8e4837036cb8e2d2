"""`swirl worlds`, `swirl record`, `swirl import`: where sequences come from."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from swirl.cli.arguments import add_json, positive_integer
from swirl.cli.output import Output, format_table
from swirl.errors import UsageError


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Add this room's commands to the parser."""
    worlds = commands.add_parser("worlds", help="list the worlds, which are ready and what the others need")
    add_json(worlds)
    worlds.set_defaults(handler=list_worlds)

    record = commands.add_parser(
        "record",
        help="record state-only sequences from a world",
        description="Plays a world and writes sequences.jsonl, states only; the true actions go to actions.jsonl "
        "beside it, which only evaluation opens.",
    )
    record.add_argument("world", metavar="WORLD", help="a name from `swirl worlds`")
    record.add_argument("--from", metavar="PATH", type=Path, dest="source", help="the log, for tau-bench and toolbench")
    record.add_argument("--out", metavar="DIR", type=Path, required=True, help="a new or empty folder")
    record.add_argument("--sequences", metavar="N", type=positive_integer, default=100, help="how many (default 100)")
    record.add_argument("--length", metavar="L", type=positive_integer, default=12, help="actions in each (default 12)")
    record.add_argument("--seed", metavar="S", type=int, default=0, help="the same seed, the same sequences")
    add_json(record)
    record.set_defaults(handler=record_world)

    importing = commands.add_parser(
        "import",
        help="read, check and register your own sequences",
        description="Reads texts (JSONL, CSV, TSV, plain text, or a folder of them) or pictures (a folder of frames, "
        "or of such folders; a zip file of either; videos). What cannot be read is named with its line or frame and "
        "the reason; the good rest is imported.",
    )
    importing.add_argument("path", metavar="PATH", type=Path, help="a file or a folder")
    importing.add_argument("--name", metavar="NAME", help="the collection's name (default: the file's)")
    importing.add_argument(
        "--every",
        metavar="N",
        type=frame_step,
        help="of videos, take every N-th frame, or one every 0.5s (default: 0.5s)",
    )
    importing.add_argument(
        "--keep-duplicates", action="store_true", help="of videos, keep frames that look the same as the one before"
    )
    importing.add_argument(
        "--keep-cuts", action="store_true", help="of videos, do not begin a new sequence where the scene changes"
    )
    add_json(importing)
    importing.set_defaults(handler=import_path)


def frame_step(text: str) -> dict[str, int | float]:
    """A step between a video's frames as arguments of PictureOptions, else argparse's usage error."""
    from swirl.sources.formats.image_options import parse_every

    try:
        return parse_every(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error).rstrip(".")) from error


def list_worlds(given: argparse.Namespace, out: Output) -> int:
    """Every world, whether it is ready, and what it needs if not."""
    from swirl.worlds.registry import world_infos

    known = world_infos()
    out.print_document([dataclasses.asdict(world) for world in known])
    rows = [[world.name, "ready" if world.ready else world.needs, world.description] for world in known]
    out.print_line(format_table(["WORLD", "STATE", "WHAT IT IS"], rows))
    return 0


def record_world(given: argparse.Namespace, out: Output) -> int:
    """Record sequences into a folder and say how to import them."""
    from swirl.worlds.registry import record

    wanted = {"sequences": given.sequences, "length": given.length, "seed": given.seed, "source": given.source}
    report = record(given.world, given.out, **wanted, progress=out.show_progress)
    out.print_document(report)
    out.print_line(f"Recorded {given.sequences} sequences of {given.world} in {given.out}.")
    out.print_note(f"Next: swirl import {given.out} --name NAME")
    return 0


def import_path(given: argparse.Namespace, out: Output) -> int:
    """Import sequences and report how many of each: read, and skipped with the reason."""
    from swirl.sources.collections.catalog import import_collection
    from swirl.sources.formats.image_options import PictureOptions

    kept = {"keep_duplicates": given.keep_duplicates, "keep_cuts": given.keep_cuts}
    options = PictureOptions(**(given.every or {}), **kept)
    report = import_collection(given.home, given.path, given.name, progress=out.show_progress, options=options)
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
