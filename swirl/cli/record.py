"""`swirl record`: record state-only sequences from a world."""

from __future__ import annotations

import argparse
from pathlib import Path

from swirl.cli.arguments import add_json, add_seed, positive_integer
from swirl.cli.output import Output


def add_command(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    record = commands.add_parser(
        "record",
        help="record state-only sequences from a world",
        description="Plays a world and writes sequences.jsonl, which holds states only. The true actions go to "
        "actions.jsonl beside it, which only evaluation reads.",
    )
    record.add_argument("world", metavar="WORLD", help="name from `swirl worlds`")
    record.add_argument(
        "--from", metavar="PATH", type=Path, dest="source", help="log to read, for tau-bench and toolbench"
    )
    record.add_argument("--out", metavar="DIR", type=Path, required=True, help="new or empty folder")
    record.add_argument(
        "--sequences", metavar="N", type=positive_integer, default=100, help="number of sequences (default: 100)"
    )
    record.add_argument(
        "--length",
        metavar="L",
        type=positive_integer,
        default=12,
        help="actions in each sequence, at most (default: 12)",
    )
    add_seed(record, "the same seed gives the same sequences")
    add_json(record)
    record.set_defaults(handler=record_world)


def record_world(args: argparse.Namespace, out: Output) -> int:
    """Record sequences into a folder, and print the command that imports them."""
    from swirl.worlds.registry import record

    options = {"sequences": args.sequences, "length": args.length, "seed": args.seed, "source": args.source}
    report = record(args.world, args.out, **options, progress=out.show_progress)
    out.print_document(report)
    out.print_line(f"Recorded {args.sequences} sequences of {args.world} in {args.out}.")
    out.print_note(f"Next: swirl import {args.out} --name NAME")
    return 0
