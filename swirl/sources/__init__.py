"""Reading state-only sequences: JSONL, CSV and TSV tables, plain text, and folders of these."""

from __future__ import annotations

from swirl.sources.reading import Reading, read_sequences
from swirl.sources.validation import Skipped

__all__ = ["Reading", "Skipped", "read_sequences"]
