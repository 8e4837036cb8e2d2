"""Collections of texts and of pictures to export."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from swirl import paths
from swirl.pictures import from_pixels
from swirl.sources.collections.catalog import import_collection
from swirl.sources.collections.frame_archive import FrameWriter

TEXTS = {"walk": ["hall.\n  lamp: off", "hall.\n  lamp: on", "Küche «ß» 日本"], "wait": ["a", "b"]}
SHADES = {"fade-0": [10, 20, 30], "fade-1": [40, 50]}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with the collections `texts`, which has true actions, and `greys`, of 12 × 8 pictures."""
    monkeypatch.setattr(paths, "assets", lambda: tmp_path / "assets")
    (tmp_path / "t").mkdir()
    write_lines(tmp_path / "t" / "texts.jsonl", [{"id": name, "states": states} for name, states in TEXTS.items()])
    actions = [{"id": name, "actions": ["act"] * (len(states) - 1)} for name, states in TEXTS.items()]
    write_lines(tmp_path / "t" / "actions.jsonl", actions)
    import_collection(tmp_path / "home", tmp_path / "t" / "texts.jsonl")
    (tmp_path / "greys").mkdir()
    with FrameWriter(tmp_path / "greys") as writer:
        lines = [
            {"id": name, "frames": writer.add_sequence([(grey(shade), ".png") for shade in shades])}
            for name, shades in SHADES.items()
        ]
    write_lines(tmp_path / "greys" / "sequences.jsonl", lines)
    import_collection(tmp_path / "home", tmp_path / "greys")
    return tmp_path / "home"


def grey(shade: int) -> bytes:
    """A PNG of one shade of grey."""
    return from_pixels(np.full((8, 12, 3), shade, dtype=np.uint8)).encoded


def write_lines(path: Path, records: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
