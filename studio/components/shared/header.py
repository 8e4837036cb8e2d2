"""The header of every page: the logo, the five pages, and the status strip with the running job and the checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from studio.components.shared.html import escape, scripted_block
from studio.components.shared.logo import logo
from studio.components.shared.machine_status import machine_chip, run_activity
from studio.components.shared.model_for_states import KIND_PLURALS, requested_checkpoint
from studio.components.shared.page_requests import get_text, get_texts
from studio.services import inference
from studio.services.health_checks import check_summaries
from studio.services.history_store import history
from studio.view_models.formatting import format_duration
from studio.view_models.page import Page
from swirl.models.hub import HUB_PREFIX

TOGGLE = (
    '<svg width="15" height="15" viewBox="0 0 16 16" fill="none" stroke="currentColor" stroke-width="1.6" '
    'aria-hidden="true"><circle cx="8" cy="8" r="5.6"/><path d="M8 2.4a5.6 5.6 0 0 1 0 11.2z" fill="currentColor"/>'
    "</svg>"
)


def render(home: Path, page: Page, pages: Sequence[Page]) -> gr.HTML:
    """Draw the header of `page`; its status strip asks the server for news every few seconds while it is visible."""

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
<details><summary class="chip" title="The model that the pages ask"><span data-part="checkpoint">model</span></summary>
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
    """The strip's parts as HTML: the job, the device, the checkpoint's name and the menu of checkpoints.

    On a page that shows states of one kind, the menu offers the models that read it.
    """
    models = inference.shared_models(home)
    current = models.choose(asked, kind)
    return {
        "job": _job(home),
        "device": machine_chip(models.device_label()),
        "checkpoint": escape(current or "no model yet") + " ",
        "menu": _menu(models, current, kind, check_summaries(home)),
    }


def _job(home: Path) -> str:
    run = next((run for run in history(home).unfinished_runs() if run.status != "queued"), None)
    if run is None:
        return ""
    direction = next((name for name in ("forward", "inverse") if name in (run.phase or "")), "")
    words = "stopping" if run.status == "stopping" else describe_phase(run.phase, run.step, run.phase_steps)
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


def _menu(models: inference.Models, current: str | None, kind: str, marks: Mapping[str, str]) -> str:
    available = models.available(kind)
    mixed = len({item.kind for item in available}) > 1
    loaded = set(models.loaded())

    def entry(item: inference.AvailableCheckpoint) -> str:
        note = "loaded" if item.name in loaded else item.note
        note = ", ".join(filter(None, [note, KIND_PLURALS[item.kind] if mixed else ""]))
        pressed = "true" if item.name == current else "false"
        said = marks.get(item.name, "")
        health = f'<small class="health-marks">{escape(said)}</small>' if said else ""
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
        said = inference.no_model_message(kind) if kind else "No model is on this machine yet. Train one first."
        parts.append(f'<p class="note">{escape(said)}</p>')
    parts.append(
        f'<h3>Exchange</h3><button type="button" data-share="{escape(current or "")}"><span>Share, or fetch one</span>'
        "<small>Space, Hub</small></button>"
    )
    if loaded:
        parts.append('<h3>Memory</h3><button type="button" data-unload><span>Unload the models</span></button>')
    return "".join(parts)
