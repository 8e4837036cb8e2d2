"""`swirl train`: start a training run, in this process or in the background."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from swirl.cli.arguments import add_json
from swirl.cli.foreground_training import run_result, train_in_foreground
from swirl.cli.output import Output
from swirl.cli.parallel import add_parallel, start_processes
from swirl.cli.run_settings import build_settings, warn_if_memory_short, warn_if_states_change
from swirl.cli.slurm_options import add_slurm, submit_to_slurm
from swirl.errors import UsageError
from swirl.presets import PRESETS
from swirl.settings import PER_PHASE, SETTING_FIELDS


def add_command(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    training = commands.add_parser(
        "train",
        help="start a training run: a warm-up if there are labels, then forward and inverse phases in turn",
        description="Prints the id of the run and trains it in this process: Ctrl-C saves and stops, a second\n"
        "Ctrl-C aborts. With --detach, the run trains in the background and outlives the terminal.",
        epilog=settings_help(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    base = training.add_mutually_exclusive_group(required=True)
    base.add_argument("--preset", metavar="NAME", help="settings by name: " + ", ".join(PRESETS))
    base.add_argument(
        "--config",
        metavar="FILE",
        type=Path,
        help="settings as a JSON or TOML file, such as the settings.json of a run",
    )
    training.add_argument("--data", metavar="NAME", help="collection to train on (default: that of the preset or file)")
    training.add_argument(
        "--labels", metavar="FILE", help="labelled transitions for the warm-up: JSONL of state, action and next_state"
    )
    training.add_argument(
        "--set", metavar="KEY=VALUE", nargs="+", action="extend", default=[], help="settings to change"
    )
    training.add_argument("--name", metavar="NAME", help="name shown for the run (default: its id)")
    training.add_argument("--detach", action="store_true", help="train in the background and return at once")
    add_parallel(training)
    add_slurm(training)
    add_json(training)
    training.set_defaults(handler=train_run)


def settings_help() -> str:
    """List the settings that --set and a config file accept, one a line."""
    lines = [
        f"  {name:<22}{'*' if name in PER_PHASE else ' '} {spec.metadata['help']} ({spec.default})"
        for name, spec in SETTING_FIELDS.items()
    ]
    return "\n".join(
        [
            "settings, with their defaults; for those with a *, forward.NAME and inverse.NAME set one phase alone:",
            *lines,
        ]
    )


def train_run(args: argparse.Namespace, out: Output) -> int:
    """Create a run and train it, in this process or in the background."""
    from swirl import processes
    from swirl.runs import distributed, jobs, secondary_rank

    settings = build_settings(args)
    if submit_to_slurm(args, settings, out):
        return 0
    code = start_processes(args, out)
    if code is not None:
        return code
    if args.detach and processes.world_size() > 1:
        raise UsageError(
            "--detach cannot be combined with a launcher that starts several processes; leave --detach out."
        )
    if distributed.rank() > 0:
        secondary_rank.train_as_secondary_rank(args.home)
    warn_if_memory_short(args.home, settings, out)
    run: dict[str, Any] = {"preset": args.preset, "settings": settings, "name": args.name}
    if args.detach:
        warn_if_states_change(args.home, settings, out)  # in the foreground, the run's log says it
        run_id = jobs.start(args.home, **run)
        out.print_document(run_result(args.home, run_id))
        out.print_line(run_id)
        return 0
    run_id = jobs.create_foreground_run(args.home, **run)
    return train_in_foreground(args.home, run_id, out)
