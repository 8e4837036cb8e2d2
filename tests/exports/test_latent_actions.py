"""Files of inferred actions: a row for each frame, which joins with the data of a LeRobot dataset."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from swirl.errors import UsageError
from swirl.exports.episodes import episode_starts
from swirl.exports.latent_actions import write_latent_actions
from swirl.library import load_collection
from swirl.models.results import Alternative, Inference
from swirl.states import State, StateSequence

KEYS = ["episode_index", "frame_index"]


def episode(name: str, length: int) -> StateSequence:
    return StateSequence(name, tuple(State(f"{name} {step}") for step in range(length)))


def inferred(*actions: str, log_prob: float = -0.5) -> list[Inference]:
    return [Inference(a, log_prob, (Alternative(a, log_prob), Alternative("wait", -2.0))) for a in actions]


@pytest.mark.parametrize(
    ("ids", "numbers"),
    [
        (["episode-7", "episode-3"], [7, 3]),
        (["pusht/episode_000012", "pusht/episode_000001"], [12, 1]),
        (["Episode4", "x-episode-2"], [4, 2]),
        (["episode-1", "episode-01"], [0, 1]),  # the number appears twice
        (["episode-5", "walk"], [0, 1]),
        (["myepisode-5", "myepisode-6"], [0, 1]),
        (["household-7-00003", "household-7-00001"], [0, 1]),
        (["episode-9 end", "episode-8 end"], [0, 1]),
        ([], []),
    ],
)
def test_numbers_of_episodes_are_taken_from_ids_or_counted(ids: list[str], numbers: list[int]) -> None:
    assert episode_starts(ids) == [(number, 0) for number in numbers]


def test_the_rest_of_a_divided_episode_starts_at_its_frame(tmp_path: Path) -> None:
    assert episode_starts(["episode-2", "episode-2#31", "episode-3"]) == [(2, 0), (2, 30), (3, 0)]
    assert episode_starts(["episode-2#5", "episode-02#5"]) == [(0, 0), (1, 0)]
    write_latent_actions(tmp_path / "a.parquet", [episode("episode-4#3", 3)], inferred("go", "stop"))
    rows = pq.read_table(tmp_path / "a.parquet").to_pylist()
    assert [(row["episode_index"], row["frame_index"], row["index"]) for row in rows] == [
        (4, 2, 0),
        (4, 3, 1),
        (4, 4, 2),
    ]


def test_every_state_has_a_row_and_the_last_has_no_action(tmp_path: Path) -> None:
    sequences = [episode("a", 3), episode("b", 2)]
    assert write_latent_actions(tmp_path / "a.jsonl", sequences, inferred("go", "stop", "öffne")) == 3
    rows = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["latent_action"] for row in rows] == ["go", "stop", None, "öffne", None]
    assert rows[0] == {
        "episode": "a",
        "episode_index": 0,
        "frame_index": 0,
        "index": 0,
        "latent_action": "go",
        "latent_action_log_prob": -0.5,
        "latent_action_alternatives": [
            {"latent_action": "go", "log_prob": -0.5},
            {"latent_action": "wait", "log_prob": -2.0},
        ],
    }
    write_latent_actions(tmp_path / "a.parquet", sequences, inferred("go", "stop", "öffne"))
    flat = pq.read_table(tmp_path / "a.parquet").to_pylist()
    for row in flat:
        row["latent_action_alternatives"] = json.loads(row["latent_action_alternatives"] or "null")
    assert flat == rows


def test_rows_end_with_the_inferred_actions(tmp_path: Path) -> None:
    sequences = [episode("a", 3), episode("b", 3)]
    for name, count, places in (("two", 2, [0, 1, 2]), ("three", 3, [0, 1, 2, 3])):
        write_latent_actions(tmp_path / f"{name}.parquet", sequences, inferred(*["go"] * count))
        assert pq.read_table(tmp_path / f"{name}.parquet")["index"].to_pylist() == places


def test_an_impossible_answer_has_no_log_probability(tmp_path: Path) -> None:
    write_latent_actions(tmp_path / "a.jsonl", [episode("a", 2)], inferred("go", log_prob=-math.inf))
    row = json.loads((tmp_path / "a.jsonl").read_text().splitlines()[0], parse_constant=pytest.fail)
    assert row["latent_action"] == "go" and row["latent_action_log_prob"] is None


def lerobot_data(lengths: list[int]) -> pa.Table:
    """The data of a LeRobot dataset, as its Parquet files have them: a row for each frame."""
    places = [(number, frame) for number, length in enumerate(lengths) for frame in range(length)]
    return pa.table(
        {
            "observation.state": pa.array([[float(n), float(f)] for n, f in places], pa.list_(pa.float32(), 2)),
            "action": pa.array([[float(f), 0.0] for _, f in places], pa.list_(pa.float32(), 2)),
            "timestamp": pa.array([f / 10 for _, f in places], pa.float32()),
            "frame_index": pa.array([f for _, f in places], pa.int64()),
            "episode_index": pa.array([n for n, _ in places], pa.int64()),
            "index": pa.array(range(len(places)), pa.int64()),
            "task_index": pa.array([0] * len(places), pa.int64()),
        }
    )


def test_it_joins_with_lerobot_data(tmp_path: Path) -> None:
    # Of the dataset's three episodes, two were imported, in another order.
    pq.write_table(lerobot_data([2, 3, 2]), tmp_path / "data.parquet")
    write_latent_actions(
        tmp_path / "z.parquet", [episode("episode-2", 2), episode("episode-1", 3)], inferred("c", "a", "b")
    )
    expected = [(0, 0, None), (0, 1, None), (1, 0, "a"), (1, 1, "b"), (1, 2, None), (2, 0, "c"), (2, 1, None)]
    # pyarrow's join refuses the list columns that such data have, so those stay out of it.
    data = pq.read_table(tmp_path / "data.parquet").drop_columns(["observation.state", "action"])
    joined = data.join(pq.read_table(tmp_path / "z.parquet"), keys=KEYS, right_suffix="_in_file").sort_by("index")
    assert [(row[KEYS[0]], row[KEYS[1]], row["latent_action"]) for row in joined.to_pylist()] == expected

    import pandas

    actions = pandas.read_parquet(tmp_path / "z.parquet", columns=[*KEYS, "latent_action"])
    merged = pandas.read_parquet(tmp_path / "data.parquet").merge(actions, on=KEYS, how="left", validate="1:1")
    found = merged["latent_action"].astype(object).where(merged["latent_action"].notna(), None)
    assert list(zip(merged[KEYS[0]], merged[KEYS[1]], found, strict=True)) == expected
    assert list(merged["observation.state"][3]) == [1.0, 1.0]


def test_actions_of_every_third_frame_stand_at_their_frames(tmp_path: Path) -> None:
    thinned = StateSequence("episode-4", episode("", 3).states, frame_step=3)
    write_latent_actions(tmp_path / "a.parquet", [thinned], inferred("go", "stop"))
    rows = pq.read_table(tmp_path / "a.parquet").to_pylist()
    assert [(row["frame_index"], row["latent_action"]) for row in rows] == [(0, "go"), (3, "stop"), (6, None)]


def test_the_library_writes_actions_of_its_pairs(home: Path, tmp_path: Path) -> None:
    texts = load_collection("texts", home=home)
    texts.export_actions(tmp_path / "x.parquet", inferred("one", "two", "three"))
    assert pq.read_table(tmp_path / "x.parquet")["latent_action"].to_pylist() == ["one", "two", None, "three", None]
    with pytest.raises(UsageError, match="already exists"):
        texts.export_actions(tmp_path / "x.parquet", [])
