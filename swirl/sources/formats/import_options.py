"""Options of an import: what is taken of videos, of files with several cameras, and of tables."""

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
class ImportOptions:
    """What becomes a state.

    Of a video it is every `every`-th frame, else one in each `seconds` seconds, else about one in half a second. Frames
    that look like the previous one are left out unless `keep_duplicates` is set. A scene change begins a new sequence
    unless `keep_cuts` is set. Of recorded episodes it is every frame, unless `every` or `seconds` says otherwise.
    """

    every: int | None = None
    seconds: float | None = None
    keep_duplicates: bool = False
    keep_cuts: bool = False
    camera: str | None = None
    """The array, column or video of pictures to take where there are several, by default the first by name."""
    state_column: str | None = None
    episode_column: str | None = None
    order_column: str | None = None
    """The columns of a table (CSV, Parquet, Arrow) where their names do not tell."""

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

    @property
    def thins_out(self) -> bool:
        """Whether not every state is to be taken."""
        return self.seconds is not None or (self.every is not None and self.every > 1)

    def episode_step(self, rate: float | None) -> int:
        """The step in frames for recorded episodes at `rate` frames per second, None if it is not known.

        Raises UsageError for a step in seconds if the rate is not known.
        """
        if self.every is not None:
            return max(1, self.every)
        if self.seconds is None:
            return 1
        if rate is None:
            raise UsageError("These episodes do not say how many frames they have a second; use a number of frames.")
        return max(1, round(rate * self.seconds))


def parse_every(text: str) -> dict[str, int | float]:
    """Parse `15` (frames) or `0.5s` (seconds) into arguments of ImportOptions. Raises UsageError for anything else."""
    match = re.fullmatch(r"(\d{1,6})|(\d{1,6}(?:\.\d*)?|\.\d+)\s*s", text.strip())
    if match and match[1] and int(match[1]) > 0:
        return {"every": int(match[1])}
    if match and match[2] and 0 < float(match[2]) < math.inf:
        return {"seconds": float(match[2])}
    raise UsageError(f"{text!r} is not a valid step; use a number of frames such as 15, or seconds such as 0.5s.")
