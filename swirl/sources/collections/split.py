"""Splits a collection by sequence: train, selection for choosing checkpoints, test for the final report only."""

from __future__ import annotations

import hashlib
from typing import Literal

Split = Literal["train", "selection", "test"]


def split_of(sequence_id: str) -> Split:
    """The part that a sequence id belongs to: a tenth is test, a tenth selection, the rest train."""
    tenth = int.from_bytes(hashlib.sha256(sequence_id.encode()).digest()) % 10
    return "test" if tenth == 0 else "selection" if tenth == 1 else "train"
