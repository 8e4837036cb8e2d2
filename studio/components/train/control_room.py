"""The control room at the top of the Train page: the machine's load, the runs in training and the queue."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

from studio.components.shared.html import escape, scripted_block
from studio.components.shared.page_requests import Answer, Request, get_text
from studio.services.history_store import history
from studio.view_models.formatting import format_duration, pluralize
from studio.view_models.machine_meters import Meter, machine_meters
from studio.view_models.run_descriptions import STATUS_LABELS
from swirl import devices
from swirl.errors import SwirlError
from swirl.history import Run
from swirl.runs import jobs

MOVES = {"up": ("↑", "Move up"), "down": ("↓", "Move down")}
TEMPLATE = """<section class="studio panel control-room" aria-label="Control room">
<div class="meters" role="group" aria-label="This machine" data-part="meters"></div>
<div class="row spread control-actions"><button type="button" class="button" data-notify aria-pressed="false"
title="Your browser notifies you when a run ends, even while another tab is in front">Notify me at the end</button>
<a class="button" href="train?new=1">New run</a></div>
<div data-part="queue" class="queue"></div><p class="error" data-problem role="alert"></p></section>"""


def render(home: Path) -> gr.HTML:
    """The control room, which refreshes every two seconds while it is visible."""

    def look(request: Request) -> Answer:
        return {"parts": parts(home)}

    def move(request: Request) -> Answer:
        to = get_text(request, "to")
        if to not in MOVES:
            raise SwirlError("A run in the queue can only move up or down.")
        jobs.move_in_queue(home, get_text(request, "run"), to)
        return look(request)

    def cancel(request: Request) -> Answer:
        run = history(home).run(get_text(request, "run"))
        if run.status != "queued":
            raise SwirlError(f"Run {run.id} is no longer waiting; it is {run.status}.")
        jobs.stop(home, run.id)
        return look(request)

    return scripted_block(TEMPLATE, "control_room", (look, move, cancel), styles=("control_room",))


def parts(home: Path) -> dict[str, str]:
    """The parts of the control room as HTML, by name."""
    past = history(home)
    return {
        "meters": "".join(map(meter_html, machine_meters(devices.shared_load_meter().current_load())))
        + missing_gpu_note(),
        "queue": queue_list(past.training_runs(), past.queued_runs()),
    }


def meter_html(meter: Meter) -> str:
    """One meter as HTML: its name, a bar and its figure."""
    share = 0 if meter.share is None else round(100 * min(1.0, max(0.0, meter.share)))
    tone = "wrong" if meter.is_full else ""
    return (
        f'<div class="meter" title="{escape(meter.explanation)}"><span>{escape(meter.name)}</span>'
        f'<span class="bar {tone}" aria-hidden="true"><i style="width:{share}%"></i></span>'
        f"<b>{escape(meter.figure)}</b></div>"
    )


def missing_gpu_note() -> str:
    """A note where the machine has no NVIDIA GPU; empty where it has one."""
    device = devices.candidate_devices("auto")[0]
    if device.startswith("cuda"):
        return ""
    note = "Apple GPU, which shares main memory" if device == "mps" else "No GPU; runs train on the CPU"
    return f'<div class="meter muted">{note}</div>'


def queue_list(active: list[Run], waiting: list[Run]) -> str:
    """The runs that train and those that wait; empty when none waits, because the run's own header says the rest."""
    if not waiting:
        return ""
    trains = "".join(_training(run) for run in active)
    waits = "".join(_waiting(run, place, len(waiting)) for place, run in enumerate(waiting, start=1))
    note = f"{pluralize(len(waiting), 'run')} waiting. Each device trains one at a time; the next starts automatically."
    return f'<p class="note">{note}</p><ol class="queued">{trains}{waits}</ol>'


def _training(run: Run) -> str:
    left = f", {format_duration(run.seconds_left)} left" if run.seconds_left is not None else ""
    mark, word, tone = STATUS_LABELS[run.status]
    return (
        f'<li data-run="{escape(run.id)}"><span class="place"><span class="chip {tone}">{mark} {word}</span></span>'
        f'{_name(run)}<span class="muted small">{escape(run.device or "")}{escape(left)}</span><span></span></li>'
    )


def _waiting(run: Run, place: int, count: int) -> str:
    name = escape(run.name)
    buttons = "".join(
        f'<button type="button" class="button small" data-move="{to}" aria-label="{words}: {name}" title="{words}"'
        f"{' disabled' if place == (1 if to == 'up' else count) else ''}>{mark}</button>"
        for to, (mark, words) in MOVES.items()
    )
    about = f"{run.settings.get('model', '')} on {run.settings.get('data', '')}"
    return (
        f'<li data-run="{escape(run.id)}"><span class="place number">{place}</span>{_name(run)}'
        f'<span class="muted small">{escape(about)}</span><span class="row">{buttons}'
        f'<button type="button" class="button small" data-cancel aria-label="Remove: {name}" '
        'title="Takes the run out of the queue; you can resume it later">Remove</button></span></li>'
    )


def _name(run: Run) -> str:
    return f'<a href="train?run={escape(run.id)}"><b>{escape(run.name)}</b></a>'
