"""A path of frames as an animated GIF."""

from __future__ import annotations

import io
from collections.abc import Sequence

from PIL import Image

from studio.view_models.frame_size import STAGE, fitted
from swirl import pictures
from swirl.states import State

STILL = 900  # milliseconds a frame


def gif(states: Sequence[State]) -> bytes:
    """The frames of picture states, one after the other, without end; all of the first one's size.

    Raises SwirlError when a frame cannot be read.
    """
    width, height = pictures.size(states[0].picture)
    size = fitted((width, height), STAGE)
    shown = [Image.fromarray(pictures.pixels(state.picture, size)) for state in states]
    buffer = io.BytesIO()
    shown[0].save(buffer, "GIF", save_all=True, append_images=shown[1:], duration=STILL, loop=0, disposal=1)
    return buffer.getvalue()
