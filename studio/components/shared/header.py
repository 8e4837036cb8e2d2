"""The header of every page: the logo, links to the six pages, and a status strip.

The strip shows the running job, the machine's load and the chosen checkpoint, and reports runs that have just ended.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from studio.components.shared.html import escape, scripted_block
from studio.components.shared.logo import logo
from studio.components.shared.model_for_states import KIND_PLURALS, requested_checkpoint
from studio.components.shared.page_requests import get_text, get_texts
from studio.services import inference
from studio.services.health_checks import check_summaries
from studio.services.history_store import history
from studio.view_models.formatting import format_duration
from studio.view_models.machine_meters import machine_meters, summarize_load
from studio.view_models.page import Page
from studio.view_models.run_descriptions import end_notification
from swirl import devices
from swirl.models.hub import HUB_PREFIX

TOGGLE = (
    '<svg width="15" height="15" viewBox="0 0 16 16" fill="none" stroke="currentColor" stroke-width="1.6" '
    'aria-hidden="true"><circle cx="8" cy="8" r="5.6"/><path d="M8 2.4a5.6 5.6 0 0 1 0 11.2z" fill="currentColor"/>'
    "</svg>"
)


def render(home: Path, page: Page, pages: Sequence[Page]) -> gr.HTML:
    """Draw the header of `page`; its status strip asks the server for updates every few seconds while it is visible."""

    def status(request: dict[str, Any]) -> dict[str, Any]:
        kind = get_text(request, "kind")
        return {
            "parts": status_parts(home, requested_checkpoint(request, kind), kind),
            **run_activity(home, get_texts(request, "watched")),
        }

    def unload(request: dict[str, Any]) -> dict[str, Any]:
        inference.shared_models(home).unload()
        return status(request)

    links = "".join(
        f'<a href="{_address(other)}"{" aria-current=page" if other == page else ""} title="{escape(other.question)}">'
        f"{escape(other.title)}</a>"
        for other in pages
    )
    return scripted_block(
        f"""<header class="studio-header">
<a class="brand" href="{_address(pages[0])}" aria-label="SWIRL Studio, Explore">{logo()}SWIRL Studio</a>
<nav aria-label="Pages">{links}</nav>
<div class="status" role="group" aria-label="Status">
<span data-part="job"></span><span data-part="device"></span>
<details><summary class="chip" title="The model that the pages use"><span data-part="checkpoint">model</span></summary>
<div class="menu" data-part="menu"></div></details>
<button type="button" class="theme-toggle" aria-label="Light or dark" title="Light or dark">{TOGGLE}</button>
</div></header><h1 class="visually-hidden">{escape(page.title)}: {escape(page.question)}</h1>""",
        "header",
        (status, unload),
        classes="studio-header-block",
    )


def _address(page: Page) -> str:
    """A page's address relative to the base of the app, which may be mounted below a path."""
    return page.path.strip("/") or "./"


def status_parts(home: Path, asked: str, kind: str = "") -> dict[str, str]:
    """The parts of the status strip as HTML: the job, the machine, the checkpoint's name and the menu of checkpoints.

    `kind` limits the menu to the models for one kind of state.
    """
    models = inference.shared_models(home)
    current = models.choose(asked, kind)
    return {
        "job": _job(home),
        "device": machine_chip(models.device_label()),
        "checkpoint": escape(current or "no model yet") + " ",
        "menu": _menu(models, current, kind, check_summaries(home)),
    }


def machine_chip(device: str) -> str:
    """The machine's load as a chip that links to its meters; `device` is where the loaded models run, in words."""
    load = devices.shared_load_meter().current_load()
    figures = "; ".join(f"{meter.name} {meter.figure}" for meter in machine_meters(load))
    title = f"{figures}. Models answer on: {device}"
    return f'<a class="chip" href="train" title="{escape(title)}">{escape(summarize_load(load))}</a>'


def run_activity(home: Path, watched: Sequence[str]) -> dict[str, Any]:
    """The unfinished runs (`going`), and a notification for each run in `watched` that has ended (`ended`)."""
    past = history(home)
    going = [run.id for run in (*past.training_runs(), *past.queued_runs())]
    over = set(watched) - set(going)
    ended = [run for run in past.runs() if run.id in over] if over else []
    return {"going": going, "ended": [{"run": run.id, **end_notification(run)} for run in ended]}


def _job(home: Path) -> str:
    run = next((run for run in history(home).unfinished_runs() if run.status != "queued"), None)
    if run is None:
        return ""
    direction = next((name for name in ("forward", "inverse") if name in (run.phase or "")), "")
    doing = (run.activity or "").partition(",")[0] or describe_phase(run.phase, run.step, run.phase_steps)
    words = "stopping" if run.status == "stopping" else doing
    left = f" · {format_duration(run.seconds_left)} left" if run.seconds_left is not None else ""
    return (
        f'<a class="chip" href="train?run={escape(run.id)}" title="Open this run">'
        f'<span class="dot {direction}"></span><b>{escape(run.id)}</b> {escape(words + left)}</a>'
    )


def describe_phase(phase: str | None, step: int | None, steps: int | None) -> str:
    """`inverse phase 41/80`, `warm-up 12/200`, or `starting`."""
    if not phase:
        return "starting"
    name = f"{phase} phase" if phase in ("forward", "inverse") else phase
    return f"{name} {step or 0}/{steps}" if steps else name


def _menu(models: inference.Models, current: str | None, kind: str, checks: Mapping[str, str]) -> str:
    """The menu of checkpoints; `checks` are summaries of their health checks, by checkpoint."""
    available = models.available(kind)
    if current is not None and current not in {item.name for item in available}:
        available += filter(None, [models.find(current)])  # one that is here, but not among the newest
    mixed = len({item.kind for item in available}) > 1
    loaded = set(models.loaded())

    def entry(item: inference.AvailableCheckpoint) -> str:
        note = "loaded" if item.name in loaded else item.note
        note = ", ".join(filter(None, [note, KIND_PLURALS[item.kind] if mixed else ""]))
        pressed = "true" if item.name == current else "false"
        check = checks.get(item.name, "")
        health = f'<small class="health-marks">{escape(check)}</small>' if check else ""
        return (
            f'<button type="button" data-checkpoint="{escape(item.name)}" aria-pressed="{pressed}" '
            f'data-kind="{item.kind}">'
            f"<span>{escape(item.name)}{health}</span><small>{escape(note)}</small></button>"
        )

    fetched = [entry(item) for item in available if item.name.startswith(HUB_PREFIX)]
    shipped = [entry(item) for item in available if not item.is_from_run and not item.name.startswith(HUB_PREFIX)]
    trained = [entry(item) for item in available if item.is_from_run]
    parts = []
    if shipped:
        parts.append("<h3>Shipped</h3>" + "".join(shipped))
    if fetched:
        parts.append("<h3>From the Hub</h3>" + "".join(fetched))
    if trained:
        parts.append("<h3>From your runs</h3>" + "".join(trained))
    if not available:
        message = (
            inference.no_model_message(kind) if kind else "There is no model on this machine yet. Train one first."
        )
        parts.append(f'<p class="note">{escape(message)}</p>')
    parts.append(
        f'<h3>Exchange</h3><button type="button" data-share="{escape(current or "")}">'
        "<span>Share or fetch a checkpoint</span><small>Space, Hub</small></button>"
    )
    if loaded:
        parts.append('<h3>Memory</h3><button type="button" data-unload><span>Unload the models</span></button>')
    return "".join(parts)
