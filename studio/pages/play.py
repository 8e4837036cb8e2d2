"""Play: What if?"""

from __future__ import annotations

from pathlib import Path

from studio.components.html import block
from studio.page import Page

PAGE = Page(path="/play", title="Play", question="What if?")


def render(home: Path) -> None:
    """Draw the page over `home`."""
    block('<div class="studio"><section class="panel"><h2>Play</h2></section></div>')
