"""The Runs page: the history of runs as a table with filters, details, edits, deletion, export and import."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from studio.components.runs.run_details import deletion_warning, run_details
from studio.components.runs.run_row import run_table_row
from studio.components.runs.runs_table import empty_history, filter_options, pager, runs_table, sort_options
from studio.components.runs.settings_differences import difference_table
from studio.components.shared.html import escape, load_template, scripted_block
from studio.components.shared.page_requests import Answer, Request, get_integer, get_text, get_texts
from studio.services.history_store import history
from studio.services.run_disk_usage import RunDisk
from studio.services.run_files import Transfers
from studio.view_models.formatting import pluralize
from studio.view_models.page import Page
from studio.view_models.run_rows import PAGE_SIZE as ROWS
from studio.view_models.run_rows import (
    SORT_KEYS,
    RunQuery,
    RunRow,
    describe_count,
    filter_choices,
    filter_rows,
    page_count,
    run_row,
    sort_rows,
)
from swirl.errors import SwirlError
from swirl.history import TRAINING_STATUSES, Checkpoint, Run
from swirl.models.checkpoints import keep_loadable
from swirl.runs import jobs
from swirl.runs.archive.deletion import preview_deletion
from swirl.runs.archive.lineage import LineageNode, build_lineage_tree, find_parent_links
from swirl.runs.archive.settings_differences import settings_difference

PAGE = Page(path="/runs", title="Runs", question="What did I do?")
MOST_COMPARED = 12


def render(home: Path) -> None:
    """Draw the page for the runs of `home`."""
    page = RunsPage(home)
    table = (page.runs, page.changes, page.difference, page.details, page.change, page.leaving, page.delete)
    functions = (*table, page.export, page.receive, page.moving)
    scripted_block(load_template("runs"), "runs", functions, styles=("runs",))


class RunsPage:
    """The server functions of the Runs page. A request carries the id of a `run`, or the ids of the chosen `runs`.

    Chosen runs may have been deleted elsewhere: whatever is asked about several is answered for those that are left.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.disk = RunDisk(home)
        self.transfers = Transfers(home)

    def runs(self, request: Request) -> Answer:
        """One page of the table, filtered and sorted as requested, after marking runs whose process has died.

        `gone` are those of the chosen runs that have been deleted.
        """
        wanted = read_table_query(request)
        past = history(self.home)
        runs = self.reconciled_runs(past.runs())
        checkpoints, now, experiments = past.all_checkpoints(), datetime.now(UTC), past.experiments_of_runs()
        rows = [
            run_row(run, checkpoints.get(run.id, ()), now, len(runs) - i, experiments.get(run.id))
            for i, run in enumerate(runs)
        ]
        by_id = {run.id: run for run in runs}
        if wanted.sort == "disk":
            rows = [self.with_disk_size(row, by_id[row.id]) for row in rows]
        fitting = sort_rows(filter_rows(rows, wanted), wanted.sort, wanted.descending)
        last = page_count(len(fitting))
        page = min(wanted.page, last)
        shown = [
            self.with_files(row, by_id[row.id], checkpoints.get(row.id, ()))
            for row in fitting[ROWS * (page - 1) : ROWS * page]
        ]
        parts = {
            "runs": runs_table(shown, wanted) if runs else empty_history(),
            "count": describe_count(len(fitting), len(rows), wanted) if runs else "",
            "pager": pager(page, last, len(fitting)),
            "sort-options": sort_options(wanted),
            "tags": "".join(f'<option value="{escape(tag)}">' for tag in past.all_tags()),
            **filter_options(filter_choices(rows), wanted),
        }
        stamps = {row.id: stamp(run_table_row(row)) for row in shown}
        self.disk.measure_in_background(runs)
        gone = [run_id for run_id in get_texts(request, "runs") if run_id not in by_id]
        census = past.status_counts()
        return {"parts": parts, "all": len(runs), "page": page, "stamps": stamps, "census": census, "gone": gone}

    def changes(self, request: Request) -> Answer:
        """The rows that changed since the page got its `stamps`; `again` when the table itself must be fetched anew."""
        known = request.get("stamps")
        known = known if isinstance(known, dict) else {}
        past = history(self.home)
        ids = [run_id for run_id in known if isinstance(run_id, str)][:ROWS]
        runs = self.reconciled_runs(past.runs(ids=ids))
        if [list(line) for line in past.status_counts()] != request.get("census"):
            return {"again": True}
        checkpoints, now, experiments = past.all_checkpoints(ids), datetime.now(UTC), past.experiments_of_runs()
        rows = [
            self.with_files(
                run_row(run, checkpoints.get(run.id, ()), now, experiment=experiments.get(run.id)),
                run,
                checkpoints.get(run.id, ()),
            )
            for run in runs
        ]
        table_rows = {row.id: run_table_row(row) for row in rows}
        changed = {run_id: html for run_id, html in table_rows.items() if stamp(html) != known[run_id]}
        return {"rows": {run_id: [stamp(html), html] for run_id, html in changed.items()}}

    def reconciled_runs(self, runs: Sequence[Run]) -> Sequence[Run]:
        """The runs, after marking those whose process has died as interrupted."""
        if not any(run.status in TRAINING_STATUSES and not jobs.is_alive(run) for run in runs):
            return runs
        jobs.reconcile(self.home)
        return history(self.home).runs(ids=[run.id for run in runs])

    def chosen_runs(self, request: Request) -> list[Run]:
        """The requested runs that are still there, in the order in which they were chosen."""
        ids = get_texts(request, "runs")
        found = {run.id: run for run in history(self.home).runs(ids=ids)}
        return [found[run_id] for run_id in ids if run_id in found]

    def with_disk_size(self, row: RunRow, run: Run) -> RunRow:
        """The row with its run's size on disk."""
        return row.with_size(self.disk.usage(run).size)

    def with_files(self, row: RunRow, run: Run, checkpoints: Sequence[Checkpoint]) -> RunRow:
        """The row with its run's size on disk, and with the checkpoint that can be compared, if one is here."""
        return self.with_disk_size(row, run).with_loadable(keep_loadable(self.home, checkpoints))

    def difference(self, request: Request) -> Answer:
        """The settings in which the `runs` differ."""
        chosen = self.chosen_runs(request)[:MOST_COMPARED]
        if len(chosen) < 2:
            raise SwirlError("Choose two or more runs to see which settings differ.")
        differing = settings_difference(*(run.settings for run in chosen))
        return {"parts": {"differences": difference_table(chosen, differing)}}

    def details(self, request: Request) -> Answer:
        """The details that unfold below a run."""
        past = history(self.home)
        run = past.run(get_text(request, "run"))
        runs = past.runs()
        tree = build_lineage_tree(run.id, find_parent_links(self.home, runs))
        names = {other.id: other.name for other in runs if other.id in family_run_ids(tree)}
        origin, disk = past.origins().get(run.id), self.disk.usage(run)
        html = run_details(run, tree, names, past.resumptions(run.id), origin, disk, datetime.now(UTC))
        return {"html": html}

    def change(self, request: Request) -> Answer:
        """Change a run's `name` (its id if empty) or `note`, or add a `tag` or remove one (`untag`); its new row."""
        past = history(self.home)
        run = past.run(get_text(request, "run"))
        field, value = get_text(request, "field"), get_text(request, "value").strip()
        if field == "name":
            past.update_run(run.id, name=value[:80] or None)
        elif field == "note":
            past.set_note(run.id, value)
        elif field == "tag":
            past.set_tags(run.id, [*run.tags, *value.split(",")])
        elif field == "untag":
            past.set_tags(run.id, [tag for tag in run.tags if tag != value])
        else:
            raise SwirlError(f"A run has no field {field!r} to change; choose name, note, tag or untag.")
        run = past.run(run.id)
        experiment = past.experiments_of_runs().get(run.id)
        checkpoints = past.checkpoints(run.id)
        row = run_row(run, checkpoints, datetime.now(UTC), experiment=experiment)
        row = self.with_files(row, run, checkpoints)
        return {"rows": {run.id: [stamp(run_table_row(row)), run_table_row(row)]}}

    def leaving(self, request: Request) -> Answer:
        """What deleting `runs` would remove, and the label of the button that deletes them."""
        previews = [preview_deletion(self.home, run.id) for run in self.chosen_runs(request)]
        if not previews:
            raise SwirlError("What you chose has been deleted already; choose other runs.")
        for preview in previews:
            if preview.run.status in TRAINING_STATUSES:
                raise SwirlError(f"Run {preview.run.id} is {preview.run.status}; stop it before you delete it.")
        name = previews[0].run.name if len(previews) == 1 else pluralize(len(previews), "run")
        return {
            "parts": {"leaving": deletion_warning(previews)},
            "title": f"Delete {name}?",
            "button": f"Delete {name}",
        }

    def delete(self, request: Request) -> Answer:
        """Delete `runs` one after the other with their rows and files; `gone` are those that are not there any more.

        The first that cannot be deleted ends it; the error says why, and which runs are already deleted.
        """
        deleted: list[str] = []
        answer: Answer = {}
        for run in self.chosen_runs(request):
            try:
                jobs.delete_run(self.home, run.id)
            except SwirlError as error:
                done = (
                    f" {', '.join(deleted)} {'is' if len(deleted) == 1 else 'are'} already deleted." if deleted else ""
                )
                answer = {"error": f"{error}{done}"}
                break
            deleted.append(run.id)
        left = {run.id for run in self.chosen_runs(request)}
        return answer | {"gone": [run_id for run_id in get_texts(request, "runs") if run_id not in left]}

    def export(self, request: Request) -> Answer:
        """Write a run to a file and return the address to fetch it from. `moving` reports progress by `ticket`."""
        return {"address": self.transfers.export_run_file(get_text(request, "run"), get_text(request, "ticket"))}

    def receive(self, request: Request) -> Answer:
        """Import the uploaded file at `path`, called `name`; the new run's id and a summary."""
        done, placement = self.transfers.import_upload(
            get_text(request, "path"), get_text(request, "name"), get_text(request, "ticket")
        )
        renamed = f" It was {done.was}, but that id is taken here." if done.run != done.was else ""
        lacks = f" This machine lacks {' and '.join(done.lacks)}." if done.lacks else ""
        counts = f"{pluralize(done.checkpoints, 'checkpoint')}, {pluralize(done.figures, 'metric value')}"
        details = escape(" ".join(filter(None, (f"{counts}.{renamed}{lacks}", placement.describe()))))
        summary = f'<p class="verdict good"><b>Imported {escape(done.run)}</b><small>{details}</small></p>'
        return {"parts": {"moving": summary}, "run": done.run}

    def moving(self, request: Request) -> Answer:
        """How far an export or import has come, in words; empty before and after it."""
        return {"words": self.transfers.progress(get_text(request, "ticket"))}


def read_table_query(request: Request) -> RunQuery:
    """The filters, order and page of a request; invalid values become their defaults."""
    given: Any = request.get("wanted")
    query = given if isinstance(given, dict) else {}
    sort = get_text(query, "sort")
    return RunQuery(
        **{name: get_text(query, name)[:200] for name in ("text", "status", "preset", "data", "tag")},
        sort=sort if sort in SORT_KEYS else "started",
        descending=get_text(query, "order") != "up",
        page=get_integer(query, "page", 1, 1_000_000),
    )


def family_run_ids(tree: LineageNode) -> set[str]:
    """The ids of all runs in a tree."""
    return {tree.run}.union(*(family_run_ids(child) for child in tree.children))


def stamp(html: str) -> int:
    """A checksum that changes when the row does."""
    return zlib.crc32(html.encode())
