"""`swirl worlds`: list the worlds."""

from __future__ import annotations

import argparse
import dataclasses

from swirl.cli.arguments import add_json
from swirl.cli.output import Output, format_table


def add_command(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    worlds = commands.add_parser(
        "worlds",
        help="list the worlds: which are ready, and what the others need",
        description="Lists the worlds for `swirl record` and `swirl trial`: which are ready, and what the others need.",
    )
    add_json(worlds)
    worlds.set_defaults(handler=list_worlds)


def list_worlds(args: argparse.Namespace, out: Output) -> int:
    """Print every world, and what it still needs where it is not ready."""
    from swirl.worlds.registry import world_infos

    worlds = world_infos()
    out.print_document([dataclasses.asdict(world) for world in worlds])
    rows = [[world.name, "ready" if world.ready else world.needs, world.description] for world in worlds]
    out.print_line(format_table(["WORLD", "STATE", "DESCRIPTION"], rows))
    return 0
