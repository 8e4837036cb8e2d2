"""`swirl train`: start a training run, in this process or in the background."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from swirl.cli.arguments import add_json
from swirl.cli.foreground_training import run_result, train_as_secondary_rank, train_in_foreground
from swirl.cli.output import Output
from swirl.cli.run_settings import build_settings, warn_if_memory_short
from swirl.errors import UsageError
from swirl.presets import PRESETS
from swirl.settings import PER_PHASE, SETTING_FIELDS


def add_command(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    training = commands.add_parser(
        "train",
        help="warm up if asked, then let the two models teach each other",
        description="Trains in this process (Ctrl-C once: save and stop; twice: abort) or, with --detach, in one that "
        "outlives the terminal. Prints the run's id.",
        epilog=settings_help(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    base = training.add_mutually_exclusive_group(required=True)
    base.add_argument("--preset", metavar="NAME", help="one of " + ", ".join(PRESETS))
    base.add_argument(
        "--config", metavar="FILE", type=Path, help="settings as JSON or TOML, e.g. a run's settings.json"
    )
    training.add_argument("--data", metavar="NAME", help="a collection (default: the preset's)")
    training.add_argument("--labels", metavar="FILE", help="JSONL of state, action, next_state for a warm-up")
    training.add_argument("--set", metavar="KEY=VALUE", nargs="+", action="extend", default=[], help="change settings")
    training.add_argument("--name", help="a name for people (default: the run's id)")
    training.add_argument("--detach", action="store_true", help="train in the background and return at once")
    add_json(training)
    training.set_defaults(handler=train_run)


def settings_help() -> str:
    """The settings that --set and a config file take, one a line."""
    lines = [
        f"  {name:<22}{'*' if name in PER_PHASE else ' '} {spec.metadata['help']} ({spec.default})"
        for name, spec in SETTING_FIELDS.items()
    ]
    return "\n".join(["settings, with their defaults; forward.NAME and inverse.NAME override those with a *:", *lines])


def train_run(args: argparse.Namespace, out: Output) -> int:
    """Create a run, then train it here or leave it to a process of its own."""
    from swirl.runs import distributed, jobs

    settings = build_settings(args)
    if args.detach and distributed.world_size() > 1:
        raise UsageError("--detach cannot be combined with a launcher of several processes.")
    if distributed.rank() > 0:
        return train_as_secondary_rank(args.home)
    warn_if_memory_short(args.home, settings, out)
    about: dict[str, Any] = {"preset": args.preset, "settings": settings, "name": args.name}
    if args.detach:
        run_id = jobs.start(args.home, **about)
        out.print_document(run_result(args.home, run_id))
        out.print_line(run_id)
        return 0
    run_id = jobs.create_foreground_run(args.home, **about)
    return train_in_foreground(args.home, run_id, out)
