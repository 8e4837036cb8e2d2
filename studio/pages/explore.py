"""Explore: What happened?"""

from __future__ import annotations

from pathlib import Path

from studio.components.html import block
from studio.page import Page

PAGE = Page(path="/", title="Explore", question="What happened?")


def render(home: Path) -> None:
    """Draw the page over `home`."""
    block('<div class="studio"><section class="panel"><h2>Explore</h2></section></div>')
