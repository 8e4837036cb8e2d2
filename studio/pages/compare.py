"""Compare: Which is better?"""

from __future__ import annotations

from pathlib import Path

from studio.components.html import block
from studio.page import Page

PAGE = Page(path="/compare", title="Compare", question="Which is better?")


def render(home: Path) -> None:
    """Draw the page over `home`."""
    block('<div class="studio"><section class="panel"><h2>Compare</h2></section></div>')
