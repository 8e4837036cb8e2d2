"""Runs: what did I do?"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from studio.answers import Answer, Request, answers, text
from studio.components.html import block
from studio.components.runs_table import difference_table, runs_table
from studio.page import Page
from studio.store import history
from studio.view_models.run_rows import RunRow, deletion_words, run_row
from swirl import jobs
from swirl.history import Run
from swirl.keeping.differences import settings_difference
from swirl.paths import assets

PAGE = Page(path="/runs", title="Runs", question="What did I do?")


def render(home: Path) -> None:
    """Draw the page over `home`."""
    page = RunsPage(home)
    template, style, script = (
        (assets() / f"runs.{kind}").read_text(encoding="utf-8") for kind in ("html", "css", "js")
    )
    block(
        template,
        head=f"<style>{style}</style>",
        js_on_load=script,
        server_functions=answers(page.runs, page.difference, page.details, page.rename, page.delete),
    )


class RunsPage:
    """The answers of the Runs page. Requests carry the id of a `run`."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def runs(self, request: Request) -> Answer:
        """The table; a run whose process has died is marked so first."""
        found = history(self.home).runs()
        if any(run.status in ("running", "stopping") and not jobs.is_alive(run) for run in found):
            jobs.reconcile(self.home)
            found = history(self.home).runs()
        return {"parts": {"runs": runs_table([self.row(run) for run in found])}, "ids": [run.id for run in found]}

    def row(self, run: Run) -> RunRow:
        """A run as a line of the table."""
        return run_row(run, history(self.home).checkpoints(run.id), datetime.now(UTC))

    def difference(self, request: Request) -> Answer:
        """The settings in which the runs `left` and `right` differ."""
        left, right = (history(self.home).run(text(request, side)) for side in ("left", "right"))
        found = settings_difference(left.settings, right.settings)
        return {"parts": {"differences": difference_table(self.row(left), self.row(right), found)}}

    def details(self, request: Request) -> Answer:
        """A run's name and note, and in words what would go with it."""
        run = history(self.home).run(text(request, "run"))
        folder = jobs.run_folder(self.home, run.id)
        files = [file for file in folder.rglob("*") if file.is_file()] if folder.is_dir() else []
        size = sum(file.stat().st_size for file in files)
        kept = len(history(self.home).checkpoints(run.id))
        return {"name": run.name, "note": run.note, "deletion": deletion_words(run, kept, len(files), size)}

    def rename(self, request: Request) -> Answer:
        """Give a run a name (its id, when empty) and a note."""
        run_id = text(request, "run")
        history(self.home).update_run(run_id, name=text(request, "name").strip()[:80] or None)
        history(self.home).set_note(run_id, text(request, "note").strip())
        return self.runs(request)

    def delete(self, request: Request) -> Answer:
        """Delete a run, its rows and its files."""
        jobs.delete(self.home, text(request, "run"))
        return self.runs(request)
