"""The Experiments page: methods × problems × seeds, how far the grid is, and which differences are real."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

from studio.components.experiments.experiment_head import progress_part, title_part
from studio.components.experiments.experiment_list import overview
from studio.components.experiments.grid_panel import panel_frame, panel_parts
from studio.components.experiments.grid_summary import METHOD_CHOICES, choices, legend, summary, unread_note
from studio.components.experiments.overall_panel import overall_panel
from studio.components.shared.html import load_template, scripted_block
from studio.components.shared.page_requests import Answer, Request, get_text
from studio.components.train.run_updates import changed_values
from studio.services.downloads import offer_file
from studio.services.experiment_figures import FigureCache, FigureReader
from studio.services.experiment_panels import read_overall, read_panels
from studio.services.history_store import history
from studio.services.published_runs import PublishedRuns
from studio.view_models.experiment_metrics import METRICS, ExperimentMetric
from studio.view_models.experiment_state import ExperimentState, describe_time_left, experiment_state
from studio.view_models.page import Page
from swirl.errors import SwirlError
from swirl.experiments.background import known_plan, plan_of_record, start_in_background
from swirl.experiments.catalog import EXPERIMENTS
from swirl.experiments.grid import Plan
from swirl.experiments.report import write_report
from swirl.experiments.results import HEADLINE, Row
from swirl.experiments.runner import request_stop
from swirl.history import TRAINING_STATUSES, ExperimentRecord, Run
from swirl.runs import jobs

PAGE = Page(path="/experiments", title="Experiments", question="Which method wins, and how surely?")
SECONDS_OF_READING = 0.7
"""What a request spends on figures that it does not know yet, so that the page never waits long for an answer."""

PAUSES = {"running": 2000, "stopping": 1000}
PAUSE, LOADING_PAUSE = 5000, 500
"""Milliseconds until the page asks again, by the experiment's status."""


def render(home: Path) -> None:
    """Draw the page over `home`; `assets/scripts/experiments.js` calls the functions below."""
    page = ExperimentsPage(home)
    functions = (page.overview, page.look, page.start, page.stop, page.report, page.published)
    scripted_block(load_template("experiments"), "experiments", functions, styles=("experiments",))


class ExperimentsPage:
    """The server functions of the page. A request carries the `name` of an experiment."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.cache = FigureCache(home)
        self.published_runs = PublishedRuns(home)

    def overview(self, request: Request) -> Answer:
        """The experiments of the home, newest first, and those of the catalogue that were not started yet."""
        past = history(self.home)
        records = past.experiments()
        known = [
            experiment_state(plan_of_record(record), record, past.experiment_statuses(record.name))
            for record in records
        ]
        names = {record.name for record in records}
        others = [experiment_state(plan, None, {}) for plan in EXPERIMENTS.values() if plan.name not in names]
        others.sort(key=lambda state: state.total)
        running = any(state.is_running for state in known)
        published = {state.plan.name: self.published_runs.missing(state.plan) for state in (*known, *others)}
        return {
            "parts": {"overview": overview(known, others, published)},
            "pause": PAUSES["running"] if running else PAUSE,
        }

    def look(self, request: Request) -> Answer:
        """The parts of an experiment's page that differ from what the page has `seen`.

        The request also carries the `metric` (one of METRICS), `last` (whether the last checkpoint of each run counts,
        rather than the best by selection), and `methods` (those `begun`, or `all`; by default, all only while the
        experiment is carried out and before its first run has finished). While figures remain to be read, `pause` is
        short.
        """
        plan, record = self.find(get_text(request, "name"))
        runs = self.runs(plan)
        state = experiment_state(plan, record, {key: run.status for key, run in runs.items()})
        last, loading = get_text(request, "last") == "1", self.published_runs.state(plan.name)
        with self.cache.lock:
            reader = FigureReader(self.cache, SECONDS_OF_READING)
            rows = reader.rows(plan, runs)
            metric = METRICS.get(get_text(request, "metric"), next(iter(METRICS.values())))
            panels = read_panels(reader, plan, runs, rows, metric.name, last)
            overall = read_overall(reader, plan, rows, metric.name, last)
        methods = get_text(request, "methods")
        if methods not in METHOD_CHOICES:
            methods = "all" if state.is_running or not state.finished else "begun"
        shown = panels if methods == "all" else [replace(panel, rows=panel.begun_rows) for panel in panels]
        parts = {
            "title": title_part(state, 0 if loading.is_running else self.published_runs.missing(plan)),
            "progress": progress_part(state, describe_time_left(state, runs, datetime.now(UTC)), loading),
            "choice": choices(panels, measured(rows), metric, last, methods) if state.finished else "",
            "summary": summary(panels, metric, last),
            "reading": unread_note(reader.unread, state.finished) if reader.unread or reader.pending else "",
            "overall": overall_panel(overall, metric),
            "legend": legend(plan, metric, unfolded=state.status == "new"),
            "grid": "".join(panel_frame(panel, metric) for panel in shown),
        }
        for panel in shown:
            parts |= panel_parts(panel, metric)
        return {
            **self.changes(parts, request),
            "pause": LOADING_PAUSE if loading.is_running else self.pause(reader, state),
        }

    def changes(self, parts: dict[str, str], request: Request) -> Answer:
        """The parts that the page has not seen; all of them if the frame of the grid, which holds the rows, is new."""
        given: Any = request.get("seen")
        seen = given if isinstance(given, dict) else {}
        answer = changed_values({"parts": parts}, seen)
        return changed_values({"parts": parts}, {}) if "grid" in answer["parts"] else answer

    def pause(self, reader: FigureReader, state: ExperimentState) -> int:
        """Milliseconds until the next look."""
        return 30 if reader.unread or reader.pending else PAUSES.get(state.status, PAUSE)

    def find(self, name: str) -> tuple[Plan, ExperimentRecord | None]:
        """The plan of that name with its record, if it was carried out here.

        Raises UsageError, which lists the names, if there is none.
        """
        record = history(self.home).find_experiment(name)
        return (plan_of_record(record), record) if record else (known_plan(self.home, name), None)

    def runs(self, plan: Plan) -> dict[str, Run]:
        """The run of each cell that has one, after marking those whose process has died."""
        found = history(self.home).runs_by_cell(plan.name)
        if any(run.status in TRAINING_STATUSES and not jobs.is_alive(run) for run in found.values()):
            jobs.reconcile(self.home)
            found = history(self.home).runs_by_cell(plan.name)
        return found

    def start(self, request: Request) -> Answer:
        """Start an experiment, or continue it, in a process of its own."""
        plan, _ = self.find(get_text(request, "name"))
        start_in_background(self.home, known_plan(self.home, plan.name))
        return {"started": plan.name}

    def stop(self, request: Request) -> Answer:
        """Ask the process of an experiment to stop; its runs save first."""
        request_stop(self.home, get_text(request, "name"))
        return {"stopped": True}

    def published(self, request: Request) -> Answer:
        """Begin to load the runs of an experiment that come with the program; the grid shows them as they come."""
        plan, _ = self.find(get_text(request, "name"))
        self.published_runs.load(plan)
        return {"loading": True}

    def report(self, request: Request) -> Answer:
        """Write the report and return the address to fetch it from."""
        plan, _ = self.find(get_text(request, "name"))

        def write(folder: Path) -> Path:
            # From the stored values, as on the command line: the page's own lack the metrics that it does not show.
            content = folder / plan.name
            write_report(self.home, plan, content)
            file = folder / f"{plan.name}-report.zip"
            with ZipFile(file, "w", ZIP_DEFLATED) as archive:
                for written in sorted(content.iterdir()):
                    archive.write(written, f"{plan.name}/{written.name}")
            shutil.rmtree(content)
            return file

        try:
            return {"address": offer_file(write)}
        except OSError as error:
            raise SwirlError(f"The report cannot be written: {error.strerror}.") from error


def measured(rows: Sequence[Row]) -> list[ExperimentMetric]:
    """The metrics that any row has; the first alone before a run has finished."""
    names = {name.partition("_best_of_")[0] for row in rows for name in row.results[0].chosen["values"]}
    return [metric for metric in METRICS.values() if metric.name in names or metric.name == HEADLINE]
