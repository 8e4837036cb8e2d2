"""`swirl train`, `swirl stop`, `swirl resume`: the life of a run."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from swirl.cli.arguments import add_json
from swirl.cli.output import Output, format_table
from swirl.cli.run_options import build_settings, run_result, show_training_progress, warn_if_memory_short
from swirl.errors import UsageError
from swirl.presets import PRESETS
from swirl.settings import PER_PHASE, SETTING_FIELDS


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Add this room's commands to the parser."""
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

    stopping = commands.add_parser("stop", help="save a run and end it after its present step")
    stopping.add_argument("run", metavar="RUN")
    stopping.add_argument("--force", action="store_true", help="end the process if it does not obey within seconds")
    add_json(stopping)
    stopping.set_defaults(handler=stop_run)

    resuming = commands.add_parser("resume", help="continue a stopped or interrupted run from its last checkpoint")
    resuming.add_argument("run", metavar="RUN")
    resuming.add_argument("--detach", action="store_true", help="train in the background and return at once")
    add_json(resuming)
    resuming.set_defaults(handler=resume_run)


def settings_help() -> str:
    """The settings that --set and a config file take, one a line."""
    lines = [
        f"  {name:<22}{'*' if name in PER_PHASE else ' '} {spec.metadata['help']} ({spec.default})"
        for name, spec in SETTING_FIELDS.items()
    ]
    return "\n".join(["settings, with their defaults; forward.NAME and inverse.NAME override those with a *:", *lines])


def train_run(given: argparse.Namespace, out: Output) -> int:
    """Create a run, then train it here or leave it to a process of its own."""
    from swirl.runs import distributed, jobs

    settings = build_settings(given)
    if given.detach and distributed.world_size() > 1:
        raise UsageError("--detach cannot be combined with a launcher of several processes.")
    if distributed.rank() > 0:
        return train_as_helper_rank(given.home)
    warn_if_memory_short(given.home, settings, out)
    about: dict[str, Any] = {"preset": given.preset, "settings": settings, "name": given.name}
    if given.detach:
        run_id = jobs.start(given.home, **about)
        out.print_document(run_result(given.home, run_id))
        out.print_line(run_id)
        return 0
    run_id = jobs.create_foreground_run(given.home, **about)
    return train_in_foreground(given.home, run_id, out)


def train_in_foreground(home: Path, run_id: str, out: Output) -> int:
    """Train a run that waits for this process; returns 0 when it finished or was stopped, else 1."""
    from swirl.runs import distributed, jobs

    out.print_line(run_id)
    if distributed.world_size() > 1:
        distributed.announce(home, run_id)
    try:
        with show_training_progress(home, run_id, out):
            jobs.train_in_foreground(home, run_id)
    finally:
        if distributed.world_size() > 1:
            distributed.remove_announcement(home)
    ended = run_result(home, run_id)
    out.print_document(ended)
    if ended["checkpoints"]:
        names = [[item["name"], item["phase"], format_scores(item["scores"])] for item in ended["checkpoints"]]
        out.print_line(format_table(["CHECKPOINT", "PHASE", "SCORES"], names))
    if ended["status"] in ("failed", "interrupted"):
        out.print_error(ended["error"] or f"Run {run_id} was interrupted; to continue it: swirl resume {run_id}")
        return 1
    out.print_note(f"Run {run_id} {ended['status']}." + (f" Best: {ended['best']}." if ended["best"] else ""))
    return 0


def train_as_helper_rank(home: Path) -> int:
    """Train beside rank 0, which keeps the books."""
    import signal

    from swirl.evaluation.selection_scores import SelectionScorer
    from swirl.runs import distributed
    from swirl.training.loop import train

    # Rank 0 alone answers signals, with a stop request that every rank obeys at the same step.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    train(home, distributed.wait_for_run_id(home), SelectionScorer)
    return 0


def format_scores(scores: dict[str, float]) -> str:
    """Scores on one line, shortest useful form."""
    return "  ".join(f"{name} {value:.3f}" for name, value in scores.items())


def stop_run(given: argparse.Namespace, out: Output) -> int:
    """Ask a run to save and end."""
    from swirl.history import History
    from swirl.runs import jobs

    jobs.stop(given.home, given.run, force=given.force)
    status = History(given.home).run(given.run).status
    out.print_document({"run": given.run, "status": status})
    out.print_line(f"Run {given.run} is {status}.")
    return 0


def resume_run(given: argparse.Namespace, out: Output) -> int:
    """Continue a run, here or in a process of its own."""
    from swirl.runs import distributed, jobs

    if distributed.rank() > 0:
        return train_as_helper_rank(given.home)
    jobs.resume(given.home, given.run, detach=given.detach)
    if given.detach:
        out.print_document(run_result(given.home, given.run))
        out.print_line(given.run)
        return 0
    return train_in_foreground(given.home, given.run, out)
