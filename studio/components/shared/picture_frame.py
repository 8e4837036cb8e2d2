"""Picture states as HTML: pixel art enlarged by whole factors with hard pixels, other frames scaled smoothly."""

from __future__ import annotations

from studio.components.shared.html import escape
from studio.services import frames
from studio.view_models.frame_size import PANEL_SIZE, fit_size
from studio.view_models.picture_difference import PictureDifference
from swirl import pictures
from swirl.states import State


def image_tag(state: State, alt: str, box: int, *, wide: int | None = None, lazy: bool = False) -> str:
    """An `<img>` of a picture state, at most `box` pixels high and `wide` pixels wide (default `box`).

    Raises SwirlError if the picture cannot be read.
    """
    size = pictures.size(state.picture)
    width, height = fit_size(size, box, wide)
    pixel_art = " drawn" if max(size) <= pictures.MAX_PIXEL_ART_SIDE else ""
    loading = ' loading="lazy" decoding="async"' if lazy else ""
    return (
        f'<img class="picture{pixel_art}" src="{escape(frames.address(state.picture))}" alt="{escape(alt)}" '
        f'width="{width}" height="{height}"{loading} draggable="false">'
    )


def annotated_picture(
    state: State,
    alt: str,
    box: int = PANEL_SIZE,
    *,
    marks: PictureDifference | None = None,
    tone: str = "inverse",
    wide: int = 0,
) -> str:
    """A picture with a difference marked on it, both as an outline and as heat.

    `data-marks` on an element above it chooses which of the two is visible.
    """
    overlay = "" if marks is None else difference_overlays(marks, tone)
    return f'<span class="framed">{image_tag(state, alt, box, wide=wide or None)}{overlay}</span>'


def difference_overlays(marks: PictureDifference, tone: str) -> str:
    """The outline and the heat of a difference, laid over the picture before them in the HTML."""
    width, height = marks.size
    heat = frames.address(marks.heat)
    return (
        f'<svg class="outline {tone}" viewBox="0 0 {width} {height}" preserveAspectRatio="none" aria-hidden="true">'
        f'<path d="{marks.outline()}"/></svg>'
        f'<i class="heat {tone}" aria-hidden="true" style="mask-image:url({heat})"></i>'
    )
