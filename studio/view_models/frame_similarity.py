"""How like the truth a predicted frame is: in the cells of a model's codec, and in pixels."""

from __future__ import annotations

from dataclasses import dataclass

INDISTINGUISHABLE_PSNR = 60.0  # dB: from here on no eye and no 8-bit pixel tells two frames apart


@dataclass(frozen=True)
class FrameSimilarity:
    """`right` of `cells` tokens are the truth's; `psnr` is in dB, at most 60. A model without tokens has no cells."""

    correct_cells: int
    total_cells: int
    psnr: float

    @property
    def is_exact(self) -> bool:
        """Whether every cell is right; without cells, whether every pixel is."""
        return self.correct_cells == self.total_cells if self.total_cells else self.psnr >= INDISTINGUISHABLE_PSNR
