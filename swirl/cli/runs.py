"""`swirl runs` and what can be done with runs: export, import, delete, note, tag, diff."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from swirl.cli.arguments import add_json
from swirl.cli.output import Output, format_table
from swirl.errors import UsageError
from swirl.history import RUN_STATUSES, History, Run


def add_command(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    listing = commands.add_parser("runs", help="list the runs, newest first; export, import, delete, note, tag, diff")
    listing.add_argument("--status", choices=RUN_STATUSES, help="only runs of this status")
    listing.add_argument("--preset", metavar="NAME", help="only runs of this preset")
    listing.add_argument("--data", metavar="NAME", help="only runs on this collection")
    listing.add_argument("--tag", metavar="TAG", help="only runs with this tag")
    add_json(listing)
    listing.set_defaults(handler=list_runs)
    actions = listing.add_subparsers(metavar="ACTION")

    export = add_runs_action(actions, "export", "write a run into one file", export_run_file)
    export.add_argument("run", metavar="RUN")
    export.add_argument("file", metavar="FILE", type=Path, help="the file to write, or a folder for RUN.swirl.zip")
    taking = add_runs_action(
        actions, "import", "add the run in a file; everything is checked, nothing executed", import_run_file
    )
    taking.add_argument("file", metavar="FILE", type=Path)
    removal = add_runs_action(
        actions, "delete", "delete a run, rows and files; without --yes only say what would go", delete_run
    )
    removal.add_argument("run", metavar="RUN")
    removal.add_argument("--yes", action="store_true", help="delete it; this cannot be undone")
    noting = add_runs_action(actions, "note", "keep a note on a run; an empty one removes it", set_note)
    noting.add_argument("run", metavar="RUN")
    noting.add_argument("text", metavar="TEXT")
    tagging = add_runs_action(
        actions, "tag", "give a run these tags in place of its old ones; none removes them", set_tags
    )
    tagging.add_argument("run", metavar="RUN")
    tagging.add_argument("tags", metavar="TAG", nargs="*")
    differing = add_runs_action(actions, "diff", "the settings in which two or more runs differ", compare_runs)
    differing.add_argument("runs", metavar="RUN", nargs="+")


def add_runs_action(
    actions: argparse._SubParsersAction, name: str, words: str, handler: object
) -> argparse.ArgumentParser:
    """A subcommand of `swirl runs`, which takes --json before or after its name."""
    parser = actions.add_parser(name, help=words, description=words[0].upper() + words[1:] + ".")
    parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print one JSON document")
    parser.set_defaults(handler=handler)
    return parser


def list_runs(args: argparse.Namespace, out: Output) -> int:
    """The history, after a look at which processes still live."""
    from swirl.runs import jobs

    jobs.reconcile(args.home)
    runs = [run for run in History(args.home).runs() if matches_filters(run, args)]
    out.print_document([run_document(run) for run in runs])
    rows = [
        [run.id, run.status, run.phase or "", str(run.step or ""), run.preset or "", run.name, ", ".join(run.tags)]
        for run in runs
    ]
    headings = ["RUN", "STATUS", "PHASE", "STEP", "PRESET", "NAME", "TAGS"]
    out.print_line(format_table(headings, rows) if runs else "No such run." if has_filters(args) else "No runs yet.")
    return 0


def has_filters(args: argparse.Namespace) -> bool:
    """Whether only some runs are asked for."""
    return any((args.status, args.preset, args.data, args.tag))


def matches_filters(run: Run, args: argparse.Namespace) -> bool:
    """Whether a run passes the filters."""
    pairs = ((args.status, run.status), (args.preset, run.preset), (args.data, run.settings.get("data")))
    return all(asked is None or asked == has for asked, has in pairs) and (args.tag is None or args.tag in run.tags)


def run_document(run: Run) -> dict[str, object]:
    """A run as --json prints it."""
    columns = ("name", "status", "pid", "phase", "step", "preset", "created", "error", "parent", "note", "tags")
    known = asdict(run)
    return {"run": run.id, **{column: known[column] for column in columns}, "data": run.settings.get("data")}


def export_run_file(args: argparse.Namespace, out: Output) -> int:
    """A run as one file."""
    from swirl.runs.archive.exporting import export_run

    done = export_run(args.home, args.run, args.file, out.show_progress)
    out.print_document({"run": args.run, "file": str(done.file), "bytes": done.size, "left_out": list(done.left_out)})
    for name in done.left_out:
        out.print_note(f"Checkpoint {name} is left out: its files are gone.")
    out.print_line(str(done.file))
    return 0


def import_run_file(args: argparse.Namespace, out: Output) -> int:
    """A run from a file."""
    from swirl.runs.archive.importing import import_run

    done = import_run(args.home, args.file, out.show_progress)
    out.print_document(asdict(done))
    if done.run != done.was:
        out.print_note(f"It was {done.was}, an id that is taken here.")
    for lacking in done.lacks:
        out.print_note(f"This machine lacks {lacking}.")
    out.print_line(done.run)
    return 0


def delete_run(args: argparse.Namespace, out: Output) -> int:
    """Delete a run, or say what would go and what began with it."""
    from swirl.runs.archive.deletion import delete_run as remove
    from swirl.runs.archive.deletion import preview_deletion

    going = preview_deletion(args.home, args.run)
    if args.yes:
        remove(args.home, args.run)
    began = [run.id for run in going.dependents]
    out.print_document(
        {
            "run": args.run,
            "deleted": args.yes,
            "checkpoints": going.checkpoints,
            "figures": going.metrics,
            "files": going.disk.files,
            "bytes": going.disk.size,
            "started_from_it": began,
        }
    )
    if began:
        out.print_line(f"Started from its checkpoints: {', '.join(began)}.")
    out.print_line(
        f"{args.run}: {going.checkpoints} checkpoints, {going.metrics} figures, {going.disk.files} files, "
        f"{going.disk.size / 1e6:.1f} MB. " + ("Deleted." if args.yes else "To delete it: add --yes.")
    )
    return 0


def set_note(args: argparse.Namespace, out: Output) -> int:
    """Keep a note."""
    History(args.home).set_note(args.run, args.text.strip())
    out.print_document({"run": args.run, "note": args.text.strip()})
    return 0


def set_tags(args: argparse.Namespace, out: Output) -> int:
    """Keep tags."""
    kept = History(args.home).set_tags(args.run, args.tags)
    out.print_document({"run": args.run, "tags": list(kept)})
    return 0


def compare_runs(args: argparse.Namespace, out: Output) -> int:
    """Only what differs."""
    from swirl.runs.archive.settings_differences import settings_difference

    if len(args.runs) < 2:
        raise UsageError("swirl runs diff takes two or more runs.")
    runs = [History(args.home).run(name) for name in args.runs]
    found = settings_difference(*(run.settings for run in runs))
    out.print_document({d.name: dict(zip(args.runs, d.values, strict=True)) for d in found})
    rows = [[d.name, *d.values] for d in found]
    out.print_line(format_table(["SETTING", *args.runs], rows) if rows else "No setting differs.")
    return 0
