"""How like the truth a predicted frame is: in the cells of a model's codec, and in pixels."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Likeness:
    """`right` of `cells` tokens are the truth's; `psnr` is in dB, at most 60."""

    right: int
    cells: int
    psnr: float

    @property
    def exact(self) -> bool:
        """Whether every cell is right."""
        return self.right == self.cells
