"""Options for taking frames from videos and from files of arrays."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction

from swirl.errors import UsageError

DEFAULT_STEP_SECONDS = 0.5
"""The default time between the frames taken from a video."""
MIN_FRAMES = 8
"""Short videos use a smaller step by default so that they give about this many frames."""


@dataclass(frozen=True)
class PictureOptions:
    """Which frames of a video become states.

    The step is `every` frames, else `seconds` seconds, else about half a second. Frames that look like the previous one
    are left out unless `keep_duplicates` is set. A scene change begins a new sequence unless `keep_cuts` is set.
    """

    every: int | None = None
    seconds: float | None = None
    keep_duplicates: bool = False
    keep_cuts: bool = False
    camera: str | None = None
    """The array of pictures to take of a file with several, by default the first by name."""

    def step(self, rate: Fraction, frames: int) -> int:
        """The step in frames, at least 1, for a video of `frames` frames (0 if unknown) at `rate` frames per second."""
        if self.every is not None:
            return max(1, self.every)
        step = max(1, round(rate * Fraction(self.seconds if self.seconds is not None else DEFAULT_STEP_SECONDS)))
        return step if self.seconds is not None or not frames else min(step, max(1, frames // MIN_FRAMES))

    def step_seconds(self, rate: Fraction, frames: int) -> float | None:
        """The step in seconds for such a video; None if it is a number of frames."""
        if self.every is not None:
            return None
        return self.seconds if self.seconds is not None else float(self.step(rate, frames) / rate)


def parse_every(text: str) -> dict[str, int | float]:
    """Parse `15` (frames) or `0.5s` (seconds) into arguments of PictureOptions. Raises UsageError for anything else."""
    match = re.fullmatch(r"(\d{1,6})|(\d{1,6}(?:\.\d*)?|\.\d+)\s*s", text.strip())
    if match and match[1] and int(match[1]) > 0:
        return {"every": int(match[1])}
    if match and match[2] and 0 < float(match[2]) < math.inf:
        return {"seconds": float(match[2])}
    raise UsageError(f"{text!r} is not a valid step; use a number of frames such as 15, or seconds such as 0.5s.")
