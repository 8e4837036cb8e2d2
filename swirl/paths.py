"""Where things lie: the shipped assets, and the home that holds runs, collections and the database."""

from __future__ import annotations

import os
from pathlib import Path

from swirl.errors import SwirlError

PACKAGE = Path(__file__).resolve().parent


def assets() -> Path:
    """The folder of shipped models and samples: beside the packages in a checkout, inside `swirl` in a wheel."""
    for folder in (PACKAGE.parent / "assets", PACKAGE / "_assets"):
        if folder.is_dir():
            return folder
    raise SwirlError(f"The assets folder is missing beside {PACKAGE}; reinstall swirl-studio.")


def resolve_home(folder: str | os.PathLike[str] | None = None) -> Path:
    """The home: `folder`, else SWIRL_HOME, else `runs/` in the current folder. It is created when first used."""
    path = Path(folder or os.environ.get("SWIRL_HOME") or "runs").expanduser().resolve()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SwirlError(
            f"The home {path} cannot be created ({error.strerror}); choose another with --home."
        ) from error
    return path
