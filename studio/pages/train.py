"""Train: Is it helping?"""

from __future__ import annotations

from pathlib import Path

from studio.components.html import block
from studio.page import Page

PAGE = Page(path="/train", title="Train", question="Is it helping?")


def render(home: Path) -> None:
    """Draw the page over `home`."""
    block('<div class="studio"><section class="panel"><h2>Train</h2></section></div>')
