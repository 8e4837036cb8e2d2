"""The Train page: the control room, the form that starts a run, and the view of a run."""

from __future__ import annotations

from pathlib import Path

from studio.components.train import control_room, run_view, start_form
from studio.view_models.page import Page

PAGE = Page(path="/train", title="Train", question="Is it helping?")


def render(home: Path) -> None:
    """Draw the page: the run in the address, else the one in training, else the form that starts one."""
    control_room.render(home)
    start_form.render(home)
    run_view.render(home)
