"""The split of a collection by sequence: test is for the final report alone, selection for choosing checkpoints."""

from __future__ import annotations

import hashlib
from typing import Literal

Split = Literal["train", "selection", "test"]


def split_of(sequence_id: str) -> Split:
    """Which part a sequence belongs to, by its id alone: a tenth test, a tenth selection, the rest train."""
    tenth = int.from_bytes(hashlib.sha256(sequence_id.encode()).digest()) % 10
    return "test" if tenth == 0 else "selection" if tenth == 1 else "train"
