"""Picture states as they are seen here: small frames by whole factors with hard pixels, large ones fitted smoothly."""

from __future__ import annotations

from studio.components.shared.html import escape
from studio.services import frames
from studio.view_models.frame_size import SIDE, fitted
from studio.view_models.picture_difference import Difference
from swirl import pictures
from swirl.states import State


def image(state: State, alt: str, box: int, *, wide: int | None = None, lazy: bool = False) -> str:
    """An `<img>` of a picture state. Raises SwirlError when the picture cannot be read."""
    size = pictures.size(state.picture)
    width, height = fitted(size, box, wide)
    drawn = " drawn" if max(size) <= pictures.SMALL else ""
    waiting = ' loading="lazy" decoding="async"' if lazy else ""
    return (
        f'<img class="picture{drawn}" src="{escape(frames.address(state.picture))}" alt="{escape(alt)}" '
        f'width="{width}" height="{height}"{waiting} draggable="false">'
    )


def framed(
    state: State, alt: str, box: int = SIDE, *, marks: Difference | None = None, tone: str = "inverse", wide: int = 0
) -> str:
    """A picture with what differs marked on it, as an outline or as heat; `.marks-…` on an element above chooses."""
    overlay = "" if marks is None else overlays(marks, tone)
    return f'<span class="framed">{image(state, alt, box, wide=wide or None)}{overlay}</span>'


def overlays(marks: Difference, tone: str) -> str:
    """Outline and heat of a difference, both laid over the picture that stands before them."""
    width, height = marks.size
    heat = frames.address(marks.heat)
    return (
        f'<svg class="outline {tone}" viewBox="0 0 {width} {height}" preserveAspectRatio="none" aria-hidden="true">'
        f'<path d="{marks.outline()}"/></svg>'
        f'<i class="heat {tone}" aria-hidden="true" style="mask-image:url({heat})"></i>'
    )
