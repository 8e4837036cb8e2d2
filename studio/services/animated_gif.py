"""A path of frames as an animated GIF."""

from __future__ import annotations

import io
from collections.abc import Sequence

from PIL import Image

from studio.view_models.frame_size import LARGE_SIZE, fit_size
from swirl import pictures
from swirl.states import State

FRAME_MILLISECONDS = 900  # milliseconds a frame


def encode_gif(states: Sequence[State]) -> bytes:
    """The frames of picture states, one after the other, without end; all of the first one's size.

    Raises SwirlError when a frame cannot be read.
    """
    width, height = pictures.size(states[0].picture)
    size = fit_size((width, height), LARGE_SIZE)
    shown = [Image.fromarray(pictures.pixels(state.picture, size)) for state in states]
    buffer = io.BytesIO()
    shown[0].save(
        buffer, "GIF", save_all=True, append_images=shown[1:], duration=FRAME_MILLISECONDS, loop=0, disposal=1
    )
    return buffer.getvalue()
