"""Runs: What did I do?"""

from __future__ import annotations

from pathlib import Path

from studio.components.html import block
from studio.page import Page

PAGE = Page(path="/runs", title="Runs", question="What did I do?")


def render(home: Path) -> None:
    """Draw the page over `home`."""
    block('<div class="studio"><section class="panel"><h2>Runs</h2></section></div>')
