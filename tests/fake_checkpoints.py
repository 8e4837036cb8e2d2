"""Checkpoints that exist by name alone: enough of their files to be offered, nothing that could be loaded."""

from __future__ import annotations

from pathlib import Path


def write_manifest(folder: Path) -> None:
    """Make a folder look like that of a checkpoint whose files are here."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "swirl.json").write_text("{}")
