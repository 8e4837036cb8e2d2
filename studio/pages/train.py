"""Train: Is it helping?"""

from __future__ import annotations

from pathlib import Path

from studio.components.train import control_room, run_view, start_form
from studio.view_models.page import Page

PAGE = Page(path="/train", title="Train", question="Is it helping?")


def render(home: Path) -> None:
    """Draw the page over `home`: a run by its address, the one that trains, or the form that starts one."""
    control_room.render(home)
    start_form.render(home)
    run_view.render(home)
