"""Reading and storing state-only sequences of texts and images, and labelled transitions."""

from __future__ import annotations

from swirl.sources.reading import Reading, read_sequences
from swirl.sources.validation import Skipped

__all__ = ["Reading", "Skipped", "read_sequences"]
