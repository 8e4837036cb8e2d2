"""The control room above every run: how busy the machine is, what trains, what waits in which order."""

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
title="Your browser tells you when a run ends, also while you look at something else">Notify me at the end</button>
<a class="button" href="train?new=1">New run</a></div>
<div data-part="queue" class="queue"></div><p class="error" data-problem role="alert"></p></section>"""


def render(home: Path) -> gr.HTML:
    """The control room, which asks for news every two seconds while it is seen."""

    def look(request: Request) -> Answer:
        return {"parts": parts(home)}

    def move(request: Request) -> Answer:
        to = get_text(request, "to")
        if to not in MOVES:
            raise SwirlError("A run moves up or down in the queue.")
        jobs.move_in_queue(home, get_text(request, "run"), to)
        return look(request)

    def cancel(request: Request) -> Answer:
        run = history(home).run(get_text(request, "run"))
        if run.status != "queued":
            raise SwirlError(f"Run {run.id} waits no more; it is {run.status}.")
        jobs.stop(home, run.id)
        return look(request)

    return scripted_block(TEMPLATE, "control_room", (look, move, cancel), styles=("control_room",))


def parts(home: Path) -> dict[str, str]:
    """The room's parts as HTML."""
    past = history(home)
    return {
        "meters": "".join(map(meter_html, machine_meters(devices.shared_load_meter().current_load())))
        + missing_gpu_note(),
        "queue": queue_list(past.training_runs(), past.queued_runs()),
    }


def meter_html(shown: Meter) -> str:
    """One meter: its name, a bar and its figure."""
    share = 0 if shown.share is None else round(100 * min(1.0, max(0.0, shown.share)))
    tone = "wrong" if shown.is_full else ""
    return (
        f'<div class="meter" title="{escape(shown.explanation)}"><span>{escape(shown.name)}</span>'
        f'<span class="bar {tone}" aria-hidden="true"><i style="width:{share}%"></i></span>'
        f"<b>{escape(shown.figure)}</b></div>"
    )


def missing_gpu_note() -> str:
    """That there is none, where there is none."""
    if devices.candidate_devices("auto")[0].startswith("cuda"):
        return ""
    said = (
        "Apple GPU, which shares the memory"
        if devices.candidate_devices("auto") == ("mps",)
        else "No GPU; runs train on the CPU"
    )
    return f'<div class="meter muted">{said}</div>'


def queue_list(active: list[Run], waiting: list[Run]) -> str:
    """What trains and what waits; nothing when nobody waits, for the run's own head says the rest."""
    if not waiting:
        return ""
    trains = "".join(_training(run) for run in active)
    waits = "".join(_waiting(run, place, len(waiting)) for place, run in enumerate(waiting, start=1))
    said = f"{pluralize(len(waiting), 'run')} waiting; each device trains one at a time, the next one starts by itself."
    return f'<p class="note">{said}</p><ol class="queued">{trains}{waits}</ol>'


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
        f'<button type="button" class="button small" data-cancel aria-label="Take out: {name}" '
        'title="It keeps its settings and can be resumed later">Take out</button></span></li>'
    )


def _name(run: Run) -> str:
    return f'<a href="train?run={escape(run.id)}"><b>{escape(run.name)}</b></a>'
