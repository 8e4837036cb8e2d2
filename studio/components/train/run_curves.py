"""The points of runs for their charts: a whole curve in bins, then only what is new, and a stretch of it in detail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from studio.components.shared.html import escape
from studio.components.shared.page_requests import Answer, Request, get_text, get_texts
from studio.services.history_store import history
from studio.view_models.curve_points import (
    band_data,
    begun_steps,
    bin_columns,
    bin_width,
    locate_step_range,
    metric_columns,
)
from studio.view_models.timeline import PhaseBand, phase_bands
from studio.view_models.training_verdicts import score_points
from swirl.errors import SwirlError
from swirl.history import Metric, Run
from swirl.settings import Settings

MAX_NEW_POINTS = 2000
"""New figures that are sent one by one; after a longer absence the whole curve is cheaper."""
MAX_OVERLAID_RUNS = 4
"""Runs that can be laid over another: more could not be told apart."""
REWARD_BINS = 100
"""Points of a phase by which its verdict is formed."""


def curve_updates(home: Path, run_id: str, line: Sequence[PhaseBand], metrics: Sequence[str], after: int) -> Answer:
    """The figures above the cursor `after`, or the `whole` curve in bins of `width` steps; and the next cursor."""
    past = history(home)
    if after:
        fresh = past.metrics(run_id, metrics, after, limit=MAX_NEW_POINTS + 1)
        if len(fresh) <= MAX_NEW_POINTS:
            return {"after": max((metric.id for metric in fresh), default=after), "points": metric_columns(fresh)}
    width = bin_width(begun_steps(line))
    cursor, found = past.curves(run_id, metrics, width)
    return {"after": cursor, "whole": True, "width": width, "points": bin_columns(found)}


def curve_detail(home: Path, request: Request, metrics: Sequence[str]) -> Answer:
    """The curves of the `runs` between the steps `from` and `to` of the axis, as fine as can be drawn."""
    start, end = (float(request.get(side) or 0) for side in ("from", "to"))
    found = {}
    for run_id in list(dict.fromkeys(get_texts(request, "runs")))[: MAX_OVERLAID_RUNS + 1]:
        place = locate_step_range(run_phase_bands(home, history(home).run(run_id)), start, end)
        if place is None:
            continue
        first, behind, steps = place
        width = bin_width(steps)
        cursor, curves = history(home).curves(run_id, metrics, width, first, behind)
        found[run_id] = {"after": cursor, "whole": True, "width": width, "points": bin_columns(curves)}
    return {"curves": found}


def overlaid_runs(
    home: Path, run_id: str, request: Request, metrics: Sequence[str]
) -> tuple[dict[str, Answer], list[str]]:
    """The runs laid over `run_id`, each with its name, phases, scores and points; and what could not be, in sentences.

    The request's `with` says them and how far each is known: an id to a cursor.
    """
    asked = request.get("with")
    wanted = {name: int(after or 0) for name, after in asked.items()} if isinstance(asked, Mapping) else {}
    found: dict[str, Answer] = {}
    problems = []
    for name, after in wanted.items():
        if name == run_id:
            problems.append(f"{name} is the run that is shown; choose another one to lay over it.")
            continue
        if len(found) == MAX_OVERLAID_RUNS:
            problems.append(f"{name} is left out: at most {MAX_OVERLAID_RUNS} runs can be laid over another.")
            continue
        try:
            run = history(home).run(name)
        except SwirlError as error:
            problems.append(str(error))
            continue
        line, settings = run_phase_bands(home, run), Settings.from_dict(run.settings)
        found[name] = {
            "name": run.name,
            "bands": band_data(line, settings),
            "scores": score_points(history(home).checkpoints(name), line),
            "curves": curve_updates(home, name, line, metrics, after),
        }
    return found, problems


def overlaid_run_chips(run: Run, others: Mapping[str, Answer]) -> str:
    """The runs laid over one as buttons that hide and show them, each with one that takes it away."""
    chips = "".join(
        f'<span class="chip run-{number}"><button type="button" class="legend-entry" data-run="{escape(name)}" '
        f'aria-pressed="true" title="Hide or show this run"><i></i>{escape(other["name"])}</button>'
        f'<button type="button" class="remove" data-away="{escape(name)}" '
        f'aria-label="Take {escape(other["name"])} away">×</button></span>'
        for number, (name, other) in enumerate(others.items(), start=1)
    )
    said = f'<span class="muted small">over {escape(run.name)}, whose phases are shaded</span>' if others else ""
    return chips + said


def overlay_options(home: Path, request: Request) -> Answer:
    """The runs that can be laid over the shown one, as options; those on the same data first."""
    runs = history(home).runs()
    shown = next((run for run in runs if run.id == get_text(request, "run")), None)
    data = shown.settings.get("data") if shown else None
    runs = sorted((run for run in runs if run is not shown), key=lambda run: run.settings.get("data") != data)
    return {"parts": {"others": "".join(map(run_option, runs))}}


def run_option(run: Run) -> str:
    """A run in the list of those that can be laid over another."""
    words = [run.name] if run.name != run.id else []
    words += [str(run.settings.get("data", "")), run.status]
    return f'<option value="{escape(run.id)}">{escape(", ".join(words))}</option>'


def run_phase_bands(home: Path, run: Run) -> tuple[PhaseBand, ...]:
    """The line of a run's phases."""
    return phase_bands(Settings.from_dict(run.settings), history(home).phases(run.id))


@lru_cache(maxsize=64)
def phase_rewards(home: Path, run_id: str, shortest: int, checkpoints: tuple[str, ...]) -> tuple[Metric, ...]:
    """A run's rewards, longer phases in about THUMB means; they are read anew when there is another checkpoint."""
    _, found = history(home).curves(run_id, ["reward"], max(1, shortest // REWARD_BINS))
    return tuple(Metric(0, one.phase, one.last, "reward", one.mean) for one in found.get("reward", ()))
