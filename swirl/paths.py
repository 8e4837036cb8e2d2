"""Locations on disk: the shipped assets, and the home folder with runs, collections and the database."""

from __future__ import annotations

import os
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

    Raises SwirlError if it cannot be created.
    """
    path = Path(folder or os.environ.get("SWIRL_HOME") or "runs").expanduser().resolve()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SwirlError(
            f"The home folder {path} cannot be created ({error.strerror}); choose another with --home."
        ) from error
    return path
