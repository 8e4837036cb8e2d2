"""`swirl runs`: list the runs, and export, import, delete, note, tag or compare them."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from swirl.cli.arguments import add_figures_only, add_json
from swirl.cli.output import Output, format_table
from swirl.errors import UsageError
from swirl.history import RUN_STATUSES, History, Run


def add_command(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    listing = commands.add_parser(
        "runs",
        help="list the runs, newest first; or export, import, delete, note, tag or diff runs",
        description="Lists the runs, newest first: all, or those that pass every filter. With an ACTION, works on the "
        "runs that it names.",
    )
    listing.add_argument("--status", choices=RUN_STATUSES, help="only runs with this status")
    listing.add_argument("--preset", metavar="NAME", help="only runs from this preset")
    listing.add_argument("--data", metavar="NAME", help="only runs on this collection")
    listing.add_argument("--tag", metavar="TAG", help="only runs with this tag")
    add_json(listing)
    listing.set_defaults(handler=list_runs)
    actions = listing.add_subparsers(metavar="ACTION")

    export = add_runs_action(actions, "export", "write a run to one file", export_run_file)
    export.add_argument("run", metavar="RUN", help="id of the run")
    export.add_argument("file", metavar="FILE", type=Path, help="file to write, or a folder to write RUN.swirl.zip to")
    add_figures_only(export)
    importing = add_runs_action(
        actions,
        "import",
        "add the run from a file; everything in it is checked and nothing is executed",
        import_run_file,
    )
    importing.add_argument("file", metavar="FILE", type=Path, help="file from `swirl runs export`")
    deleting = add_runs_action(
        actions,
        "delete",
        "delete a run with its records and files; without --yes only list what would be deleted",
        delete_run,
    )
    deleting.add_argument("run", metavar="RUN", help="id of the run")
    deleting.add_argument("--yes", action="store_true", help="delete the run; this cannot be undone")
    noting = add_runs_action(actions, "note", "set the note on a run; an empty text removes it", set_note)
    noting.add_argument("run", metavar="RUN", help="id of the run")
    noting.add_argument("text", metavar="TEXT", help="text of the note")
    tagging = add_runs_action(actions, "tag", "replace the tags of a run; with no TAG, remove them", set_tags)
    tagging.add_argument("run", metavar="RUN", help="id of the run")
    tagging.add_argument("tags", metavar="TAG", nargs="*", help="new tags")
    comparing = add_runs_action(actions, "diff", "show the settings in which two or more runs differ", compare_runs)
    comparing.add_argument("runs", metavar="RUN", nargs="+", help="ids of the runs")


def add_runs_action(
    actions: argparse._SubParsersAction, name: str, summary: str, handler: object
) -> argparse.ArgumentParser:
    """Add an action of `swirl runs`; --json may stand before or after its name."""
    parser = actions.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
    parser.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help="print one JSON document on standard output"
    )
    parser.set_defaults(handler=handler)
    return parser


def list_runs(args: argparse.Namespace, out: Output) -> int:
    """Print the runs that pass the filters, after marking those whose process has died as interrupted."""
    from swirl.runs import jobs

    jobs.reconcile(args.home)
    runs = [run for run in History(args.home).runs() if matches_filters(run, args)]
    out.print_document([run_document(run) for run in runs])
    rows = [
        [run.id, run.status, run.phase or "", str(run.step or ""), run.preset or "", run.name, ", ".join(run.tags)]
        for run in runs
    ]
    headings = ["RUN", "STATUS", "PHASE", "STEP", "PRESET", "NAME", "TAGS"]
    out.print_line(format_table(headings, rows) if runs else "No run matches." if has_filters(args) else "No runs yet.")
    return 0


def has_filters(args: argparse.Namespace) -> bool:
    """Return whether any filter is set."""
    return any((args.status, args.preset, args.data, args.tag))


def matches_filters(run: Run, args: argparse.Namespace) -> bool:
    """Return whether a run passes all filters."""
    pairs = ((args.status, run.status), (args.preset, run.preset), (args.data, run.settings.get("data")))
    return all(wanted is None or wanted == value for wanted, value in pairs) and (
        args.tag is None or args.tag in run.tags
    )


def run_document(run: Run) -> dict[str, object]:
    """Return a run as --json prints it."""
    columns = (
        *("name", "status", "pid", "phase", "step", "phase_steps", "activity", "share_done", "seconds_left"),
        *(
            "device",
            "precision",
            "threads",
            "parallelism",
            "rollout_engine",
            "preset",
            "created",
            "error",
            "probe_verdict",
            "ended_early",
            "parent",
            "note",
            "tags",
        ),
    )
    values = asdict(run)
    return {"run": run.id, **{column: values[column] for column in columns}, "data": run.settings.get("data")}


def export_run_file(args: argparse.Namespace, out: Output) -> int:
    """Write a run to one file, and name the checkpoints whose weights could not be included."""
    from swirl.runs.archive.exporting import export_run

    exported = export_run(args.home, args.run, args.file, out.show_progress, figures_only=args.figures_only)
    out.print_document(
        {
            "run": args.run,
            "file": str(exported.file),
            "bytes": exported.size,
            "without_weights": list(exported.without_weights),
        }
    )
    for name in exported.without_weights:
        out.print_note(f"Checkpoint {name} has scores but no weights in the file, because its own files are missing.")
    out.print_line(str(exported.file))
    return 0


def import_run_file(args: argparse.Namespace, out: Output) -> int:
    """Add the run from a file, and name what it needs that this machine lacks."""
    from swirl.experiments.exchange import place_run
    from swirl.runs.archive.importing import import_run

    imported = import_run(args.home, args.file, out.show_progress)
    placement = place_run(args.home, imported)
    out.print_document({**asdict(imported), "placed": placement.cell is not None})
    if imported.run != imported.was:
        out.print_note(f"Its id was {imported.was}, which is already in use here.")
    for missing in imported.lacks:
        out.print_note(f"This machine lacks {missing}.")
    if sentence := placement.describe():
        out.print_note(sentence)
    out.print_line(imported.run)
    return 0


def delete_run(args: argparse.Namespace, out: Output) -> int:
    """Delete a run, or list what would be deleted and which runs started from its checkpoints."""
    from swirl.runs.archive.deletion import delete_run as remove
    from swirl.runs.archive.deletion import preview_deletion, remove_leftovers

    remove_leftovers(args.home)
    preview = preview_deletion(args.home, args.run)
    if args.yes:
        remove(args.home, args.run)
    dependents = [run.id for run in preview.dependents]
    out.print_document(
        {
            "run": args.run,
            "deleted": args.yes,
            "checkpoints": preview.checkpoints,
            "figures": preview.metrics,
            "files": preview.disk.files,
            "bytes": preview.disk.size,
            "started_from_it": dependents,
        }
    )
    if dependents:
        out.print_line(f"Runs that started from its checkpoints: {', '.join(dependents)}.")
    out.print_line(
        f"{args.run}: {preview.checkpoints} checkpoints, {preview.metrics} metric values, {preview.disk.files} files, "
        f"{preview.disk.size / 1e6:.1f} MB. " + ("Deleted." if args.yes else "To delete it, add --yes.")
    )
    return 0


def set_note(args: argparse.Namespace, out: Output) -> int:
    """Set the note on a run."""
    History(args.home).set_note(args.run, args.text.strip())
    out.print_document({"run": args.run, "note": args.text.strip()})
    return 0


def set_tags(args: argparse.Namespace, out: Output) -> int:
    """Replace the tags of a run."""
    tags = History(args.home).set_tags(args.run, args.tags)
    out.print_document({"run": args.run, "tags": list(tags)})
    return 0


def compare_runs(args: argparse.Namespace, out: Output) -> int:
    """Print the settings in which runs differ, with the value of each run."""
    from swirl.runs.archive.settings_differences import settings_difference

    if len(args.runs) < 2:
        raise UsageError("swirl runs diff needs two or more runs; name another.")
    runs = [History(args.home).run(name) for name in args.runs]
    differences = settings_difference(*(run.settings for run in runs))
    out.print_document({d.name: dict(zip(args.runs, d.values, strict=True)) for d in differences})
    rows = [[d.name, *d.values] for d in differences]
    out.print_line(format_table(["SETTING", *args.runs], rows) if rows else "No setting differs.")
    return 0
