"""Which numbers of pictures become black and white, and numbers as colours between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass
class NumberRange:
    """The finite numbers of a sequence of pictures: the lowest, the highest, and whether all are floating-point."""

    low: float = np.inf
    high: float = -np.inf
    is_floating: bool = True

    def add(self, numbers: np.ndarray) -> None:
        """Take the numbers of one more picture, of any shape and number format."""
        self.is_floating = self.is_floating and numbers.dtype.kind == "f"
        finite = numbers[np.isfinite(numbers)]
        if finite.size:
            self.low, self.high = min(self.low, float(finite.min())), max(self.high, float(finite.max()))

    @property
    def is_conventional(self) -> bool:
        """Whether the numbers are in a range in which pictures are usual: 0 to 1 as floating-point, or 0 to 255."""
        return self.low > self.high or (
            self.low >= 0 and (1 < self.high <= 255 or (self.is_floating and self.high <= 1))
        )

    def limits(self) -> tuple[float, float]:
        """The numbers that become black and white: those of the usual range, else the lowest and the highest."""
        if self.low > self.high:
            return 0.0, 1.0  # not one number
        if self.is_conventional:
            return 0.0, 255.0 if self.high > 1 else 1.0
        return self.low, self.high if self.high > self.low else self.low + 1.0


def to_colours(numbers: np.ndarray, low: float, high: float) -> np.ndarray:
    """Numbers as uint8 of the same shape: `low` and less is 0, `high` and more is 255. What is no number is 0."""
    finite = np.nan_to_num(numbers.astype(np.float64), nan=low, posinf=high, neginf=low)
    return ((finite - low) * (255 / (high - low))).round().clip(0, 255).astype(np.uint8)
