"""`swirl trial`: record a world, train on it for a few steps, and measure before and after."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from swirl.cli.arguments import add_json, add_seed, positive_integer
from swirl.cli.output import Output, format_table
from swirl.errors import UsageError

MIN_TRANSITIONS = 20


def add_command(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    trial = commands.add_parser(
        "trial",
        help="record a world, train on it for a few steps, and measure before and after",
        description="Records N training transitions and half as many held-out ones, and imports them as the "
        "collection trial-WORLD. For texts it takes SmolLM2-135M if it is installed; else it builds a small model "
        "from the world's own states, for pictures with a codec of its own; Blocks has tiny-blocks; "
        "--set model=NAME names another model. Warms it up on "
        "the half of the training transitions that keep their actions, trains a few steps of each phase on the other "
        "half, and measures it on the held-out transitions before and after, beside the copy-the-state baseline. The "
        "collection and the run stay in the home.",
    )
    trial.add_argument("world", metavar="WORLD", help="name from `swirl worlds`")
    trial.add_argument(
        "--transitions", metavar="N", type=positive_integer, default=200, help="training transitions (default: 200)"
    )
    trial.add_argument(
        "--from", metavar="PATH", type=Path, dest="source", help="log to read, for tau-bench and toolbench"
    )
    add_seed(trial, "the same seed gives the same transitions")
    trial.add_argument("--set", metavar="KEY=VALUE", nargs="+", action="extend", default=[], help="settings to change")
    add_json(trial)
    trial.set_defaults(handler=run_trial)


def run_trial(args: argparse.Namespace, out: Output) -> int:
    """Run all steps of a trial and print its figures."""
    from swirl.cli.trial_steps import Trial
    from swirl.models.gguf_files import SMOLLM2
    from swirl.settings import parse_assignment
    from swirl.worlds.base import HELD_OUT_SEED
    from swirl.worlds.gymnasium_environments import PREFIX
    from swirl.worlds.registry import find_world

    if args.world.startswith(PREFIX):
        raise UsageError(f"`swirl trial` does not play {args.world}; record it with `swirl record` and import that.")
    entry = find_world(args.world)
    if args.transitions < MIN_TRANSITIONS:
        raise UsageError(f"--transitions must be a whole number from {MIN_TRANSITIONS} up, not {args.transitions}.")
    if not 0 <= args.seed < HELD_OUT_SEED:
        raise UsageError(
            f"--seed must be a whole number from 0 to {HELD_OUT_SEED - 1}, not {args.seed}; higher seeds are held out."
        )
    trial = Trial(args.home, args.world, entry.kind, out)
    changes = dict(parse_assignment(text) for text in args.set)
    settings = trial.settings(changes)  # reports a wrong setting before anything is recorded
    with trial.timed("record"):
        counts = trial.record(args.transitions, args.seed, args.source)
    with trial.timed("import"):
        import_recording(trial, out)
    if trial.needs_base and "model" not in changes and settings.model != SMOLLM2:
        with trial.timed("make a small model"):
            settings = trial.make_base_model(settings)
    with trial.timed("measure before"):
        before = trial.measure(settings.model, settings)
    with trial.timed("train"):
        run, warmed_up, last = trial.train(settings)
    with trial.timed("measure after"):
        columns = {
            "before": before,
            "warm-up": trial.measure(warmed_up, settings),
            "after": trial.measure(last, settings),
        }
    with trial.timed("infer"):
        inferred = trial.infer(last)
    document = {
        "world": args.world,
        "collection": trial.name,
        "run": run,
        "model": settings.model,
        "checkpoints": {"before": settings.model, "warm-up": warmed_up, "after": last},
        "transitions": counts,
        "seconds": trial.seconds,
        "inferred": {"actions": len(inferred), "distinct": len(set(inferred))},
        "metrics": columns,
    }
    out.print_document(document)
    print_result(document, out)
    return 0


def import_recording(trial: Any, out: Output) -> None:
    """Import the recording under the name of the trial."""
    from swirl.sources.collections.catalog import import_collection

    import_collection(trial.home, trial.folder, trial.name, progress=out.show_progress)


def print_result(document: dict[str, Any], out: Output) -> None:
    """Print the data, the time taken and the table of figures."""
    counts, seconds, columns = document["transitions"], document["seconds"], document["metrics"]
    out.print_line(
        f"{document['world']}: {counts['labelled']} transitions with their actions, {counts['unlabelled']} without, "
        f"{counts['held_out']} held out; {document['model']}, {sum(seconds.values()):.0f} s in total."
    )
    names = [name.removeprefix("forward/") for name in columns["before"] if name.startswith("forward/")]
    rows = []
    for name in names:
        values = [format_interval(column, f"forward/{name}") for column in columns.values()]
        rows.append([f"forward/{name}", format_interval(columns["before"], f"copy/{name}"), *values])
    rows.append(
        ["inverse/exact_match", "–", *(format_interval(column, "inverse/exact_match") for column in columns.values())]
    )
    out.print_line(format_table(["METRIC", "COPY", "BEFORE", "WARM-UP", "AFTER"], rows))
    out.print_line(
        f"Inferred {document['inferred']['actions']} actions, {document['inferred']['distinct']} of them distinct."
    )
    out.print_note(f"Seconds: {', '.join(f'{step} {duration:.1f}' for step, duration in seconds.items())}.")
    out.print_note(f"Next: swirl evaluate {document['checkpoints']['after']} --data {document['collection']}")


def format_interval(column: dict[str, dict[str, float]], name: str) -> str:
    """Format a figure with its 95 % interval; a dash where there is none."""
    if name not in column:
        return "–"
    value = column[name]
    return f"{value['value']:.3f} ({value['low']:.3f}–{value['high']:.3f})"
