"""The run view's server side: what has changed since its last request, and the buttons of the run's header."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from studio.components.shared.html import escape
from studio.components.shared.page_requests import Answer, Request
from studio.components.shared.run_header import header_parts
from studio.components.shared.verdict_list import verdict_list
from studio.components.train.requested_rollouts import requested_rollouts
from studio.components.train.rollout_table import MAX_GROUPS, rollout_table
from studio.components.train.run_curves import (
    curve_updates,
    overlaid_run_chips,
    overlaid_runs,
    reward_rises,
    run_phase_bands,
)
from studio.services.history_store import history
from studio.view_models import run_descriptions
from studio.view_models.curve_points import RECENT_STEPS, band_data, recent_step_seconds
from studio.view_models.timeline import PhaseBand
from studio.view_models.training_verdicts import probe_verdicts, score_points, training_verdicts
from swirl.errors import SwirlError
from swirl.history import UNFINISHED_STATUSES, Run
from swirl.models.checkpoints import keep_loadable
from swirl.runs import jobs
from swirl.settings import Settings

LOG_BYTES = 40_000
NO_ROLLOUTS = '<p class="note">No rollouts are stored for this run.</p>'


def perform_action(home: Path, run_id: str, action: str) -> Answer:
    """Carry out `action`, a button of the run's header. Raises SwirlError when the run's status does not allow it."""
    if action in ("stop", "cancel", "force"):
        jobs.stop(home, run_id, force=action == "force")
    elif action == "sample":
        jobs.request_samples(home, run_id)
    elif action == "resume":
        jobs.resume(home, run_id)
    return {"done": action}


def active_run(home: Path) -> Run | None:
    """The run that is training, else the one that has waited longest, else None."""
    runs = history(home).unfinished_runs()
    return next((run for run in runs if run.status != "queued"), runs[-1] if runs else None)


def load_current_run(home: Path, run_id: str) -> Run:
    """The run, after marking it as interrupted if its process has died, so that it is never shown as running."""
    run = history(home).run(run_id)
    if run.status in UNFINISHED_STATUSES and (run.status != "queued" or run.pid) and not jobs.is_alive(run):
        jobs.reconcile(home)
        run = history(home).run(run_id)
    return run


def run_updates(home: Path, request: Request, metrics: Sequence[str]) -> Answer:
    """The parts and data that differ from what the page has seen, and the points after the cursors it holds.

    `request`: run (an id, or empty for the one in training), after (its cursor), with (the runs laid over it, id to
    cursor), seen (name to checksum), log (whether the log is unfolded). Raises SwirlError for an unknown run.
    """
    run_id = str(request.get("run") or "") or getattr(active_run(home), "id", None)
    if run_id is None:
        return {"run": None}
    run, past = load_current_run(home, run_id), history(home)
    settings = Settings.from_dict(run.settings)
    line = run_phase_bands(home, run)
    checkpoints = past.checkpoints(run.id)
    loadable = keep_loadable(home, checkpoints)
    shortest = min((band.steps for band in line if band.steps), default=1)
    rises = reward_rises(home, run.id, shortest, tuple(c.created for c in checkpoints))
    held_out = min(settings.held_out, selection_size(home, settings.data) or settings.held_out)
    parts = header_parts(
        run,
        settings,
        line,
        sequences=sequence_count(home, settings.data),
        step_seconds=recent_step_seconds(past.latest_values(run.id, "step_time", RECENT_STEPS)),
        now=datetime.now(UTC),
        experiment=(past.experiment_of_run(run.id) or (None,))[0],
        loadable=loadable,
        figures_only=bool(checkpoints) and not loadable,
    )
    verdicts = training_verdicts(settings, checkpoints, line, rises, held_out, run.warning)
    early = probe_verdicts(run)
    # Until the first phase is scored nothing says more; from then on its score does.
    is_scored = any(checkpoint.index for checkpoint in checkpoints)
    parts["verdicts"] = verdict_list([*verdicts, *early] if is_scored else [*early, *verdicts])
    parts["subtitle-reward"] = escape(run_descriptions.describe_reward(settings))
    parts |= rollout_parts(home, run, settings, line)
    if request.get("log"):
        parts["log"] = escape(log_tail(jobs.run_folder(home, run.id) / "log.txt"))
    others, problems = overlaid_runs(home, run.id, request, metrics)
    parts["beside"] = overlaid_run_chips(run, others)
    data = {"bands": band_data(line, settings), "scores": score_points(checkpoints, line)}
    for name, other in others.items():
        data |= {f"bands {name}": other["bands"], f"scores {name}": other["scores"]}
    curves = {name: {"name": other["name"], **other["curves"]} for name, other in others.items()}
    curves[run.id] = {"name": run.name, **curve_updates(home, run.id, line, metrics, int(request.get("after") or 0))}
    return {
        "run": run.id,
        "status": run.status,
        **changed_values({"parts": parts, "data": data}, request.get("seen") or {}),
        "curves": curves,
        "problems": problems,
    }


def changed_values(groups: dict[str, dict[str, Any]], seen: dict[str, int]) -> dict[str, Any]:
    """The values of each group that differ from those seen, and under `seen` the checksums for the next request."""
    sums = {name: checksum(value) for group in groups.values() for name, value in group.items()}
    changes = {
        key: {name: value for name, value in group.items() if seen.get(name) != sums[name]}
        for key, group in groups.items()
    }
    return {**changes, "seen": sums}


def checksum(value: Any) -> int:
    """A checksum of any value that JSON can hold."""
    return zlib.crc32(json.dumps(value).encode())


def rollout_parts(home: Path, run: Run, settings: Settings, line: Sequence[PhaseBand]) -> dict[str, str]:
    """The newest rollouts as a table, and a heading with the step in which they were sampled."""
    newest = history(home).rollouts(run.id, limit=1)
    if not newest:
        empty = rollout_table([], "forward") if run.status in UNFINISHED_STATUSES else NO_ROLLOUTS
        table = requested_rollouts(home, run, line) or empty
        return {"rollouts-title": "What it is trying", "rollouts": table}
    phase, step = newest[0].phase, newest[0].step
    band = next((band for band in line if band.index == phase), None)
    direction = band.direction if band else ("inverse" if not newest[0].action else "forward")
    rows = history(home).rollouts(run.id, phase=phase, step=step, limit=MAX_GROUPS)
    place = f", iteration {band.iteration}, {direction} phase" if band else ""
    alone = run_descriptions.is_partner_alone(settings, direction)
    table = rollout_table(rows, direction, jobs.run_folder(home, run.id), partner_alone=alone)
    return {
        "rollouts-title": f'What it is trying, step {step}<span class="muted small">{place}</span>',
        "rollouts": requested_rollouts(home, run, line) + table,
    }


def sequence_count(home: Path, name: str) -> int | None:
    """How many sequences a collection has according to the registry; None if it was never read."""
    row = next((row for row in history(home).collections() if row["name"] == name), None)
    return row["sequences"] if row else None


def selection_size(home: Path, name: str) -> int | None:
    """How many transitions a collection reserves for choosing checkpoints; None when it cannot be read."""
    from swirl.sources.collections.catalog import get_collection
    from swirl.sources.collections.stored_collection import fingerprint

    try:
        folder = get_collection(home, name).path
    except SwirlError:
        return None
    return _count_selection(home, name, fingerprint(folder))


@lru_cache(maxsize=64)
def _count_selection(home: Path, name: str, stamp: str) -> int | None:
    """Count the selection part. `stamp` changes with the collection's files, so that a re-import is counted anew."""
    from swirl.sources.collections.catalog import load_sequences
    from swirl.sources.collections.split import split_of

    try:
        sequences = load_sequences(home, name)
    except SwirlError:
        return None
    return sum(len(sequence.states) - 1 for sequence in sequences if split_of(sequence.id) == "selection")


def log_tail(file: Path) -> str:
    """The last LOG_BYTES of a log, from the start of a line; a sentence when there is none."""
    try:
        with file.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(0, size - LOG_BYTES))
            text = log.read().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return "There is no log yet."
    return text.partition("\n")[2] if size > LOG_BYTES else text
