"""Test helpers for a home with a collection of Blocks frames, `boards`, and one model each for texts and pictures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import TableModel
from picture_model import PictureModel, frame

from studio.services import inference
from swirl import models, pictures
from swirl.sources.collections.catalog import import_collection
from swirl.sources.collections.frame_archive import FrameWriter
from swirl.worlds.blocks_rules import Board, Thing, act

BOARD = Board(("sky", *[None] * 15), (None, Thing("circle", "red"), Thing("square", "blue"), *[None] * 13))
ACTIONS = ("push the red circle right", "move the red circle down", "remove the blue square")


def walk() -> list[Board]:
    """The boards of the only sequence."""
    boards = [BOARD]
    for action in ACTIONS:
        boards.append(act(boards[-1], action))
    return boards


def add_boards(home: Path, folder: Path) -> None:
    """Record the sequence in `folder` and import it as `boards`."""
    folder.mkdir()
    with FrameWriter(folder) as writer:
        frames = writer.add_sequence([(pictures.read_picture_bytes(frame(board).picture), ".png") for board in walk()])
    (folder / "sequences.jsonl").write_text(json.dumps({"id": "b0", "frames": frames}) + "\n")
    (folder / "actions.jsonl").write_text(json.dumps({"id": "b0", "actions": list(ACTIONS)}) + "\n")
    (folder / "collection.json").write_text(json.dumps({"title": "Boards", "kind": "image"}) + "\n")
    import_collection(home, folder, "boards")


def offer_both(monkeypatch: pytest.MonkeyPatch) -> list[TableModel | PictureModel]:
    """Offer two checkpoints, `reader` for texts and `seer` for pictures; returns the list of models loaded so far."""
    seen: list[TableModel | PictureModel] = []

    def load(home: Path, name: str) -> TableModel | PictureModel:
        seen.append((PictureModel if name == "seer" else TableModel)(name))
        return seen[-1]

    monkeypatch.setattr(models, "load_world_model", load, raising=False)
    monkeypatch.setattr(inference, "ready_models", lambda: ["seer", "reader"])
    monkeypatch.setattr(inference, "checkpoint_kind", lambda folder: "image" if folder.name == "seer" else "text")
    return seen
