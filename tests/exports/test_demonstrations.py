"""Rows of a state, a goal and an inferred action as a Parquet file."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from swirl import pictures
from swirl.errors import SwirlError, UsageError
from swirl.exports.demonstrations import write_demonstrations
from swirl.exports.latent_actions import read_latent_actions, write_latent_actions
from swirl.models.results import Alternative, Inference
from swirl.planning.hindsight_rows import hindsight_rows
from swirl.sources.collections.catalog import load_sequences
from swirl.states import State, StateSequence

WALK = StateSequence("walk", tuple(map(State, ("hall", "attic", "roof"))), frame_step=5)


def test_rows_of_texts_join_with_the_inferred_actions(tmp_path: Path) -> None:
    inferred = [Inference(action, -0.1, (Alternative(action, -0.1),)) for action in ("go up", "climb")]
    write_latent_actions(tmp_path / "actions.jsonl", [WALK], inferred)
    actions = read_latent_actions(tmp_path / "actions.jsonl")
    assert actions == {"walk": ["go up", "climb"]}
    assert write_demonstrations(tmp_path / "rows.parquet", [WALK], hindsight_rows([WALK], actions)) == 3
    rows = pq.read_table(tmp_path / "rows.parquet").to_pylist()
    names = ("frame_index", "goal_frame_index", "state", "goal", "latent_action")
    assert [tuple(row[name] for name in names) for row in rows] == [
        (0, 5, "hall", "attic", "go up"),
        (0, 10, "hall", "roof", "go up"),
        (5, 10, "attic", "roof", "climb"),
    ]
    with pytest.raises(UsageError, match="already exists"):
        write_demonstrations(tmp_path / "rows.parquet", [WALK], [])


def test_rows_of_pictures_hold_both_pictures(home: Path, tmp_path: Path) -> None:
    sequences = load_sequences(home, "greys")
    actions = {sequence.id: ["fade"] * (len(sequence.states) - 1) for sequence in sequences}
    assert write_demonstrations(tmp_path / "rows.parquet", sequences, hindsight_rows(sequences, actions)) == 4
    row = pq.read_table(tmp_path / "rows.parquet").to_pylist()[1]
    state, goal = sequences[0].states[0].picture, sequences[0].states[2].picture
    assert row["image"]["bytes"] == pictures.read_picture_bytes(state)
    assert row["goal_image"]["bytes"] == pictures.read_picture_bytes(goal)


def test_a_damaged_file_of_actions_is_named(tmp_path: Path) -> None:
    (tmp_path / "actions.jsonl").write_text('{"episode": "walk"}\n')
    with pytest.raises(SwirlError, match=r"actions\.jsonl is not a file of inferred actions"):
        read_latent_actions(tmp_path / "actions.jsonl")
