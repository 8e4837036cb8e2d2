"""How like the truth a predicted frame is: in the cells of a model's codec, and in pixels."""

from __future__ import annotations

from dataclasses import dataclass

ALIKE = 60.0  # dB: from here on no eye and no 8-bit pixel tells two frames apart


@dataclass(frozen=True)
class Likeness:
    """`right` of `cells` tokens are the truth's; `psnr` is in dB, at most 60. A model without tokens has no cells."""

    right: int
    cells: int
    psnr: float

    @property
    def exact(self) -> bool:
        """Whether every cell is right; without cells, whether every pixel is."""
        return self.right == self.cells if self.cells else self.psnr >= ALIKE
