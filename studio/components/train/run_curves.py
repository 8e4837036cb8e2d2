"""The points of the charts: at first a whole curve in bins, then only new points, and on request a range in detail."""

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
from studio.view_models.training_verdicts import rises_by_phase, score_points
from swirl.errors import SwirlError
from swirl.history import Run
from swirl.settings import Settings

MAX_NEW_POINTS = 2000
"""New points that are sent one by one; with more than these, sending the whole curve in bins is cheaper."""
MAX_OVERLAID_RUNS = 4
"""Runs that can be laid over another; the colours of more could not be told apart."""
REWARD_BINS = 100
"""About how many points of a phase its verdict is based on."""


def curve_updates(home: Path, run_id: str, line: Sequence[PhaseBand], metrics: Sequence[str], after: int) -> Answer:
    """The points after the cursor `after`, or the `whole` curve in bins of `width` steps; and the next cursor.

    A cursor is the id of the newest metric row that was sent; 0 asks for the whole curve.
    """
    past = history(home)
    if after:
        fresh = past.metrics(run_id, metrics, after, limit=MAX_NEW_POINTS + 1)
        if len(fresh) <= MAX_NEW_POINTS:
            return {"after": max((metric.id for metric in fresh), default=after), "points": metric_columns(fresh)}
    width = bin_width(begun_steps(line))
    cursor, bins = past.curves(run_id, metrics, width)
    return {"after": cursor, "whole": True, "width": width, "points": bin_columns(bins)}


def curve_detail(home: Path, request: Request, metrics: Sequence[str]) -> Answer:
    """The curves of the requested `runs` between the axis steps `from` and `to`, as finely as can be drawn."""
    start, end = (float(request.get(side) or 0) for side in ("from", "to"))
    curves = {}
    for run_id in list(dict.fromkeys(get_texts(request, "runs")))[: MAX_OVERLAID_RUNS + 1]:
        place = locate_step_range(run_phase_bands(home, history(home).run(run_id)), start, end)
        if place is None:
            continue
        first, behind, steps = place
        width = bin_width(steps)
        cursor, bins = history(home).curves(run_id, metrics, width, first, behind)
        curves[run_id] = {"after": cursor, "whole": True, "width": width, "points": bin_columns(bins)}
    return {"curves": curves}


def overlaid_runs(
    home: Path, run_id: str, request: Request, metrics: Sequence[str]
) -> tuple[dict[str, Answer], list[str]]:
    """The runs laid over `run_id`, each with its name, phases, scores and points; and one sentence per failure.

    The request's `with` maps the id of each run to the cursor up to which the page has its points.
    """
    cursors = request.get("with")
    wanted = {name: int(after or 0) for name, after in cursors.items()} if isinstance(cursors, Mapping) else {}
    overlaid: dict[str, Answer] = {}
    problems = []
    for name, after in wanted.items():
        if name == run_id:
            problems.append(f"{name} is the run shown already; choose another run to overlay.")
            continue
        if len(overlaid) == MAX_OVERLAID_RUNS:
            problems.append(f"{name} is left out; at most {MAX_OVERLAID_RUNS} runs can be overlaid. Remove one first.")
            continue
        try:
            run = history(home).run(name)
        except SwirlError as error:
            problems.append(str(error))
            continue
        line, settings = run_phase_bands(home, run), Settings.from_dict(run.settings)
        overlaid[name] = {
            "name": run.name,
            "bands": band_data(line, settings),
            "scores": score_points(history(home).checkpoints(name), line),
            "curves": curve_updates(home, name, line, metrics, after),
        }
    return overlaid, problems


def overlaid_run_chips(run: Run, others: Mapping[str, Answer]) -> str:
    """The overlaid runs as buttons that hide and show their curves, each with a button that removes it."""
    chips = "".join(
        f'<span class="chip run-{number}"><button type="button" class="legend-entry" data-run="{escape(name)}" '
        f'aria-pressed="true" title="Hide or show this run"><i></i>{escape(other["name"])}</button>'
        f'<button type="button" class="remove" data-away="{escape(name)}" '
        f'aria-label="Remove {escape(other["name"])}">×</button></span>'
        for number, (name, other) in enumerate(others.items(), start=1)
    )
    note = f'<span class="muted small">over {escape(run.name)}, whose phases are shaded</span>' if others else ""
    return chips + note


def overlay_options(home: Path, request: Request) -> Answer:
    """The runs that can be laid over the current one, as HTML options; those on the same data come first."""
    runs = history(home).runs()
    current = next((run for run in runs if run.id == get_text(request, "run")), None)
    data = current.settings.get("data") if current else None
    runs = sorted((run for run in runs if run is not current), key=lambda run: run.settings.get("data") != data)
    return {"parts": {"others": "".join(map(run_option, runs))}}


def run_option(run: Run) -> str:
    """One run in the list of those that can be overlaid, as an HTML option."""
    words = [run.name] if run.name != run.id else []
    words += [str(run.settings.get("data", "")), run.status]
    return f'<option value="{escape(run.id)}">{escape(", ".join(words))}</option>'


def run_phase_bands(home: Path, run: Run) -> tuple[PhaseBand, ...]:
    """The phases of a run, past and planned, in their order."""
    settings = Settings.from_dict(run.settings)
    return phase_bands(settings, history(home).phases(run.id), ended_early=bool(run.ended_early))


@lru_cache(maxsize=64)
def reward_rises(home: Path, run_id: str, shortest: int, checkpoints: tuple[str, ...]) -> Mapping[int, float]:
    """By how much the reward rose in each phase of a run, from bins of which its shortest phase has about REWARD_BINS.

    `shortest` is the number of steps of the shortest phase. `checkpoints`, when each was made, is part of the cache's
    key, so that the rewards are read again after each new one. Only the rises are kept: the rewards of a long run
    would be kept once for each of its checkpoints.
    """
    _, curves = history(home).curves(run_id, ["reward"], max(1, shortest // REWARD_BINS))
    return rises_by_phase((one.phase, one.mean) for one in curves.get("reward", ()))
