"""Turns what a Gymnasium environment observes or draws into states: pictures as they are, anything else in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from swirl.pictures import Pixels, from_pixels
from swirl.sources.formats.still_images import encode_frame, limit_size
from swirl.states import Picture, State
from swirl.worlds.gymnasium_names import describe_discrete_state, documented_names

MIN_PICTURE_SIDE = 16
"""Smaller arrays are codes rather than pictures, such as the 7 × 7 × 3 view of MiniGrid's agent."""
MAX_NUMBERS = 128
"""The most numbers of an observation that is written in words."""
DECIMALS = 3
"""The number of decimals of an observed number."""


def is_picture_space(space: Any) -> bool:
    """Whether a space is Box uint8 in the shape of a picture: (height, width), or with 1 or 3 channels at the end."""
    from gymnasium.spaces import Box

    if not isinstance(space, Box) or space.dtype != np.uint8:
        return False
    return is_picture_shape(space.shape) and min(space.shape[:2]) >= MIN_PICTURE_SIDE


def is_picture_shape(shape: tuple[int, ...]) -> bool:
    """Whether an array of this shape is (height, width), or has 1, 3 or 4 channels at the end."""
    return len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3, 4))


def to_pixels(drawn: Any) -> Pixels | None:
    """RGB pixels (height, width, 3) of what an environment drew; None if it is no picture.

    Of a list of frames the last one is taken, grey becomes RGB, and opacity is dropped.
    """
    if isinstance(drawn, list) and drawn and isinstance(drawn[-1], np.ndarray):
        drawn = drawn[-1]
    if not isinstance(drawn, np.ndarray) or drawn.dtype != np.uint8 or not is_picture_shape(drawn.shape):
        return None
    if 0 in drawn.shape:
        return None
    pixels = drawn[:, :, None] if drawn.ndim == 2 else drawn
    return pixels[:, :, :3] if pixels.shape[2] >= 3 else pixels.repeat(3, axis=2)


def picture_state(pixels: Pixels) -> State:
    """A state of these pixels, scaled down like imported frames if it is larger than they may be."""
    size = (pixels.shape[1], pixels.shape[0])
    smaller = limit_size(size)
    if size == smaller:
        return State(picture=from_pixels(pixels))
    frame = encode_frame(Image.fromarray(np.ascontiguousarray(pixels)), smaller, ".png")
    return State(picture=Picture(encoded=frame.data))


def count_numbers(space: Any) -> int:
    """How many numbers or texts an observation of a space holds; 1 for a space of varying size."""
    from gymnasium import spaces

    if isinstance(space, spaces.Dict):
        return sum(count_numbers(inner) for inner in space.values())
    if isinstance(space, spaces.Tuple):
        return sum(count_numbers(inner) for inner in space)
    return int(np.prod(space.shape)) if space.shape else 1


def describe_observation(env: Any, observed: Any) -> State:
    """An observation in words: a text as it is, a position of a grid, or its names and numbers."""
    from gymnasium.spaces import Discrete

    if isinstance(env.observation_space, Discrete):
        return State(describe_discrete_state(env, int(observed)))
    names = documented_names(env).observations
    if isinstance(observed, np.ndarray | tuple) and len(names) == len(observed):
        observed = dict(zip(names, observed, strict=True))
    text = format_value(observed)
    return State(text if text.strip() else "nothing")


def format_value(value: Any, nested: bool = False) -> str:
    """A value as `key value, key (key value)`; numbers have up to DECIMALS decimals, and lists within it brackets."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, Mapping):
        parts = [f"{key} {format_value(inner, True)}" for key, inner in value.items()]
    elif isinstance(value, list | tuple):
        parts = [format_value(inner, True) for inner in value]
    elif isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    elif isinstance(value, float | np.floating):
        return format_number(float(value))
    else:
        return str(value)
    return f"({', '.join(parts)})" if nested else ", ".join(parts)


def format_number(number: float) -> str:
    """A number with up to DECIMALS decimals; never `-0`."""
    text = f"{number:.{DECIMALS}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text
