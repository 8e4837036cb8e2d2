"""How pictures are taken from videos: all of it optional, for the defaults need no touching."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction

from swirl.errors import UsageError

DEFAULT_STEP_SECONDS = 0.5
"""How far apart the frames taken from a video are, unless told otherwise."""
MIN_FRAMES = 8
"""A short video is taken at a finer step, so that it gives about this many frames."""


@dataclass(frozen=True)
class PictureOptions:
    """Which frames of a video become states.

    `every` is the step in frames, or else `seconds` the step in seconds; with neither, frames are about half a second
    apart. Frames that look like the one before are left out unless `keep_duplicates`, and where the scene changes a
    new sequence begins unless `keep_cuts`.
    """

    every: int | None = None
    seconds: float | None = None
    keep_duplicates: bool = False
    keep_cuts: bool = False

    def step(self, rate: Fraction, frames: int) -> int:
        """The step in frames for a video of `frames` frames (0: unknown) at `rate` frames a second; at least 1."""
        if self.every is not None:
            return max(1, self.every)
        step = max(1, round(rate * Fraction(self.seconds if self.seconds is not None else DEFAULT_STEP_SECONDS)))
        return step if self.seconds is not None or not frames else min(step, max(1, frames // MIN_FRAMES))


def parse_every(text: str) -> dict[str, int | float]:
    """`15` (frames) or `0.5s` (seconds) as the arguments of PictureOptions. Raises UsageError for anything else."""
    match = re.fullmatch(r"(\d{1,6})|(\d{1,6}(?:\.\d*)?|\.\d+)\s*s", text.strip())
    if match and match[1] and int(match[1]) > 0:
        return {"every": int(match[1])}
    if match and match[2] and 0 < float(match[2]) < math.inf:
        return {"seconds": float(match[2])}
    raise UsageError(f"{text!r} is no step; use a number of frames like 15, or seconds like 0.5s.")
