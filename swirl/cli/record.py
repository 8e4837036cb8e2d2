"""`swirl record`: record state-only sequences from a world."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

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
    record.add_argument("world", metavar="WORLD", help="name from `swirl worlds`, or gym:ID")
    record.add_argument(
        "--from", metavar="PATH", type=Path, dest="source", help="log to read, for tau-bench and toolbench"
    )
    record.add_argument("--out", metavar="DIR", type=Path, required=True, help="new or empty folder")
    record.add_argument(
        "--sequences",
        metavar="N",
        type=positive_integer,
        help="number of sequences (default: 100, or those of --actions)",
    )
    record.add_argument(
        "--length",
        metavar="L",
        type=positive_integer,
        help="actions in each sequence, at most (default: 12, or those of --actions)",
    )
    record.add_argument(
        "--regime",
        metavar="NAME",
        default="clean",
        help="for household and blocks: clean, ambiguous (each action in several wordings) or noisy (actions fail or "
        "slip, other things change by themselves) (default: clean)",
    )
    environment = record.add_argument_group("for Gymnasium environments, gym:ID or gym:MODULE:ID")
    environment.add_argument(
        "--observation",
        choices=("picture", "text"),
        help="what becomes the states (default: pictures if there are any)",
    )
    environment.add_argument(
        "--actions",
        metavar="FILE",
        type=Path,
        help="actions to play instead of random ones: JSONL with a list of numbers, names or vectors for each sequence",
    )
    environment.add_argument(
        "--every",
        metavar="N",
        type=positive_integer,
        default=1,
        help="repeat each action for N steps, and record the state after them (default: 1)",
    )
    environment.add_argument(
        "--set", metavar="KEY=VALUE", nargs="+", action="extend", default=[], help="arguments of the environment"
    )
    add_seed(record, "the same seed gives the same sequences")
    add_json(record)
    record.set_defaults(handler=record_world)


def record_world(args: argparse.Namespace, out: Output) -> int:
    """Record sequences into a folder, and print the command that imports them."""
    from swirl.settings import parse_assignment
    from swirl.worlds.gymnasium_world import PlayOptions
    from swirl.worlds.registry import record

    arguments = {key: parse_json_or_text(value) for key, value in map(parse_assignment, args.set)}
    report = record(
        args.world,
        args.out,
        sequences=args.sequences,
        length=args.length,
        seed=args.seed,
        source=args.source,
        regime=args.regime,
        options=PlayOptions(args.observation, args.actions, args.every, arguments),
        progress=out.show_progress,
    )
    out.print_document(report)
    out.print_line(f"Recorded {report['sequences']} sequences of {args.world} in {args.out}.")
    if report["no_ops"] == report["transitions"]:
        out.print_note("No action changed anything visible, so there is nothing to learn from this recording.")
    if report.get("unplayed_actions"):
        out.print_note(f"{report['unplayed_actions']} given actions were not played, as the episode had ended.")
    out.print_note(f"Next: swirl import {args.out} --name NAME")
    return 0


def parse_json_or_text(value: str) -> Any:
    """A value as JSON, such as `false` or `8`; anything else is text."""
    try:
        return json.loads(value)
    except ValueError:
        return value
