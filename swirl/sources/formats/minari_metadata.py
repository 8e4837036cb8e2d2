"""What a Minari dataset says about itself in its metadata.json."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

MINIGRID_ACTIONS = ("turn left", "turn right", "move forward", "pick up", "drop", "toggle", "done")


def find_minari(path: Path, name: str) -> Path | None:
    """The file or folder `name` of the data of a Minari dataset, which may be named by its folder or by that of its
    data; None if there is none."""
    return next((folder / name for folder in (path, path / "data") if (folder / name).exists()), None)


def load_minari_metadata(data: Path) -> dict[str, Any]:
    """The metadata beside a dataset's data; empty if there is none that can be read, as it is not needed."""
    try:
        metadata = json.loads((data / "metadata.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return metadata if isinstance(metadata, dict) else {}


def minari_action_names(data: Path) -> Sequence[str]:
    """The names of a dataset's discrete actions, where its environment is known to have some."""
    try:
        spec = json.loads(load_minari_metadata(data).get("env_spec") or "{}")
    except (ValueError, TypeError):
        return ()
    identity = str(spec.get("id", "")) if isinstance(spec, dict) else ""
    return MINIGRID_ACTIONS if identity.startswith("MiniGrid-") else ()
