"""Names the files of a folder that are not of the format that the folder is read as, so that none is lost unnoticed."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from swirl.sources.formats.content import Source
from swirl.sources.formats.frame_clips import summarize_names
from swirl.sources.reading import DOCUMENTATION_STEMS, natural_sort_key, printable_path
from swirl.sources.validation import Skipped

ABOUT_THE_FOLDER = DOCUMENTATION_STEMS | {"thumbs", "desktop"}
"""File names, without suffix, of documents about the data and of what file managers keep in a folder."""


def files_beside(source: Source, taken: Collection[Path], what: str) -> list[Skipped]:
    """The files of a folder other than those that are taken, which are called `what`, as one entry."""
    others = [file for file in source.files if file not in taken and file.stem.lower() not in ABOUT_THE_FOLDER]
    names = sorted((printable_path(file.relative_to(source.path)) for file in others), key=natural_sort_key)
    verb = "are" if len(names) > 1 else "is"
    return [Skipped(summarize_names(names), f"{verb} beside the {what}, and not read")] if names else []
