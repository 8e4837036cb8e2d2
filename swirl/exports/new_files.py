"""Writes files that did not exist before, completely or not at all."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from swirl.errors import SwirlError, UsageError
from swirl.sources.atomic_folder import clear_leftovers, draft_folder, move_out

SUFFIXES = (".jsonl", ".parquet")
"""The formats that rows are written in."""


def check_new_file(file: Path) -> None:
    """Raise UsageError if the file exists already, or if its suffix is none of SUFFIXES."""
    if file.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{file} has an unknown format; give it the suffix {' or '.join(SUFFIXES)}.")
    check_free(file)


def check_free(file: Path) -> None:
    """Raise UsageError if something of that name exists: nothing is ever overwritten.

    What an export left that was killed does not count, and is removed.
    """
    clear_leftovers(file.parent)
    if file.exists():
        raise UsageError(f"{file} already exists; choose another name, or move it away.")


@contextmanager
def new_files(*targets: Path) -> Iterator[Path]:
    """A folder to write files into; at the end of the block, those named like the targets are moved to them.

    The targets lie in one folder, which is made if it is missing. They are moved in their order, so the one that stands
    for all of them comes last. If the block fails, none of them appears; if the process is killed while they are moved,
    the next export beside them takes back those that were. Raises UsageError if one exists, SwirlError if they cannot
    be written.
    """
    for target in targets:
        check_free(target)
    try:
        with draft_folder(targets[-1]) as folder:
            yield folder
            for target in targets:
                check_free(target)
            move_out(folder, targets)
    except OSError as error:
        mend = "free some space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "choose another place"
        raise SwirlError(f"{targets[-1]} cannot be written ({error.strerror or error}); {mend}.") from error
