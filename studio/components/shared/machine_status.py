"""What the header of every page tells beside its links: how busy the machine is, and which runs have just ended."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from studio.components.shared.html import escape
from studio.services.history_store import history
from studio.view_models.machine_meters import machine_meters, summarize_load
from studio.view_models.run_descriptions import end_notification
from swirl import devices


def machine_chip(device: str) -> str:
    """The machine as a chip that leads to its meters; `device` is what the loaded models answer on, in words."""
    load = devices.shared_load_meter().current_load()
    said = "; ".join(f"{one.name} {one.figure}" for one in machine_meters(load))
    title = f"{said}. Models answer on: {device}"
    return f'<a class="chip" href="train" title="{escape(title)}">{escape(summarize_load(load))}</a>'


def run_activity(home: Path, watched: Sequence[str]) -> dict[str, Any]:
    """The runs that go on or wait, and of those that were watched the ones that have ended, in words."""
    past = history(home)
    going = [run.id for run in (*past.training_runs(), *past.queued_runs())]
    gone = set(watched) - set(going)
    over = [run for run in past.runs() if run.id in gone] if gone else []
    return {"going": going, "ended": [{"run": run.id, **end_notification(run)} for run in over]}
