"""Locations on disk: the shipped assets, and the home folder with runs, collections and the database."""

from __future__ import annotations

import glob
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from swirl.errors import SwirlError

PACKAGE = Path(__file__).resolve().parent


def assets() -> Path:
    """The folder of shipped models and samples: next to the packages in a checkout, inside `swirl` in a wheel.

    Raises SwirlError if it is missing.
    """
    for folder in (PACKAGE.parent / "assets", PACKAGE / "_assets"):
        if folder.is_dir():
            return folder
    raise SwirlError(f"The assets folder is missing next to {PACKAGE}; reinstall swirl-studio.")


def resolve_home(folder: str | os.PathLike[str] | None = None) -> Path:
    """The home folder: `folder`, else SWIRL_HOME, else `runs/` in the current folder. It is created if missing.

    A new one is for its owner alone: on a shared machine, others read neither runs nor states. Raises SwirlError if it
    cannot be created.
    """
    path = Path(folder or os.environ.get("SWIRL_HOME") or "runs").expanduser().resolve()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SwirlError(
            f"The home folder {path} cannot be created ({error.strerror}); choose another with --home."
        ) from error
    return path


def require_writable(*places: Path) -> None:
    """Raise SwirlError if one of these files or folders exists and cannot be written."""
    for place in places:
        if place.exists() and not os.access(place, os.W_OK):
            raise SwirlError(
                f"{place} cannot be written; check its permissions and its disk, or choose another home with --home."
            )


@contextmanager
def replace_folder(folder: Path) -> Iterator[Path]:
    """Yield a temporary sibling folder to write to; it becomes `folder` only if the block succeeds.

    So no reader ever sees a half-written folder. What `folder` held before is deleted, and so is what processes that
    were killed in the middle of this have left. Raises OSError.
    """
    import psutil  # only what writes needs it, and it takes a while

    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    for left in folder.parent.glob(f".{glob.escape(folder.name)}.*.tmp"):
        pid = left.name.split(".")[-2]
        if left == temporary or not (pid.isdecimal() and psutil.pid_exists(int(pid))):
            shutil.rmtree(left, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        shutil.rmtree(folder, ignore_errors=True)
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
