"""What a Minari dataset says about itself in its metadata.json."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from swirl.sources.environment_names import DOCUMENTED, Names

MINIGRID_ACTIONS = ("turn left", "turn right", "move forward", "pick up", "drop", "toggle", "done")


def find_minari(path: Path, name: str) -> Path | None:
    """The file or folder `name` of the data of a Minari dataset, which may be named by its folder or by that of its
    data; None if there is none."""
    return next((folder / name for folder in (path, path / "data") if (folder / name).exists()), None)


def load_minari_metadata(data: Path) -> dict[str, Any]:
    """The metadata beside a dataset's data; empty if there is none that can be read, as it is not needed."""
    try:
        metadata = json.loads((data / "metadata.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return metadata if isinstance(metadata, dict) else {}


def minari_action_names(data: Path) -> Names:
    """The names of a dataset's actions, where its environment is MiniGrid's or Gymnasium's own; else none."""
    try:
        spec = json.loads(load_minari_metadata(data).get("env_spec") or "{}")
    except (ValueError, TypeError):
        return Names()
    if not isinstance(spec, dict):
        return Names()
    identity, entry = str(spec.get("id", "")), str(spec.get("entry_point", ""))
    if identity.startswith("MiniGrid-"):
        return Names(MINIGRID_ACTIONS)
    name = re.sub(r"-v\d+$", "", identity.rpartition("/")[2])
    return DOCUMENTED.get(name, Names()) if entry.startswith("gymnasium.envs.") else Names()


def names_of_actions(names: Names, actions: Sequence[Any]) -> Sequence[str]:
    """The names for some actions: those of discrete ones, or of the numbers of a vector."""
    return names.actions if len(actions) and np.ndim(actions[0]) == 0 else names.controls
