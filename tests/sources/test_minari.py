"""Minari datasets written by Minari: pictures, parts of a dictionary and texts, in each of its storages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from making import shapes, shown

from swirl.errors import SwirlError
from swirl.evaluation.true_actions import load_true_actions
from swirl.sources.collections.catalog import ImportReport, import_collection, load_sequences
from swirl.sources.formats.import_options import ImportOptions

gymnasium = pytest.importorskip("gymnasium")
minari = pytest.importorskip("minari")
pytestmark = pytest.mark.usefixtures("nothing_shipped")
STORAGES = ["hdf5", "arrow", "parquet"]
LENGTHS = (3, 5)


def notes(report: ImportReport) -> str:
    return " ".join(str(item) for item in report.skipped)


def seen(space: Any, count: int, start: int) -> Any:
    """`count` observations of a space; pictures and numbers show which is which."""
    spaces = gymnasium.spaces
    if isinstance(space, spaces.Dict):
        return {name: seen(part, count, start) for name, part in space.items()}
    if isinstance(space, spaces.Text):
        return [f"room {start + i}" for i in range(count)]
    return np.stack([np.full(space.shape, (start + i) % 200, space.dtype) for i in range(count)])


def dataset(folder: Path, space: Any, storage: str, jpeg: bool = False) -> Path:
    """A dataset of two episodes."""
    from minari.data_collector import EpisodeBuffer

    buffers = []
    for number, length in enumerate(LENGTHS):
        steps = length - 1
        buffers.append(
            EpisodeBuffer(
                id=number,
                observations=seen(space, length, 10 * number),
                actions=np.arange(steps) % 3,
                rewards=[0.0] * steps,
                terminations=[False] * steps,
                truncations=[False] * (steps - 1) + [True],
            )
        )
    minari.create_dataset_from_buffers(
        "made-v0",
        buffers,
        observation_space=space,
        action_space=gymnasium.spaces.Discrete(3),
        data_format=storage,
        jpeg_encoding=jpeg,
    )
    return folder / "made-v0"


@pytest.fixture(autouse=True)
def datasets_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))


def pictures(high: int = 255, shape: tuple[int, ...] = (40, 48, 3)) -> Any:
    return gymnasium.spaces.Box(0, high, shape, np.uint8)


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("jpeg", [False, True])
@pytest.mark.filterwarnings("ignore")
def test_pictures(tmp_path: Path, home: Path, storage: str, jpeg: bool) -> None:
    report = import_collection(home, dataset(tmp_path, pictures(), storage, jpeg))
    assert shapes(home, "made-v0") == {"episode_0": 3, "episode_1": 5}
    last = shown(load_sequences(home, "made-v0")[1].states[4])
    assert last.shape == (40, 48, 3) and np.abs(last.astype(int) - 14).max() <= (3 if jpeg else 0)
    assert ("as JPEG, which is lossy" in notes(report)) == jpeg
    assert load_true_actions(home, "made-v0")["episode_1"] == ["action 0", "action 1", "action 2", "action 0"]


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.filterwarnings("ignore")
def test_parts_of_a_dictionary(tmp_path: Path, home: Path, storage: str) -> None:
    spaces = gymnasium.spaces
    inner = spaces.Dict({"top": pictures(), "front": pictures(shape=(32, 32, 3))})
    space = spaces.Dict({"cameras": inner, "joints": spaces.Box(-1, 1, (7,), np.float32), "mission": spaces.Text(20)})
    source = dataset(tmp_path, space, storage)
    report = import_collection(home, source)
    assert "has the cameras front, top; front was taken" in notes(report)
    assert shown(load_sequences(home, "made-v0")[0].states[0]).shape == (32, 32, 3)
    import_collection(home, source, options=ImportOptions(camera="top"))
    assert shown(load_sequences(home, "made-v0")[0].states[0]).shape == (40, 48, 3)


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.filterwarnings("ignore")
def test_texts_and_vectors(tmp_path: Path, home: Path, storage: str) -> None:
    import_collection(home, dataset(tmp_path, gymnasium.spaces.Text(20), storage))
    assert [state.text for state in load_sequences(home, "made-v0")[0].states] == ["room 0", "room 1", "room 2"]
    assert set(load_true_actions(home, "made-v0")) == {"episode_0", "episode_1"}


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.filterwarnings("ignore")
def test_actions_have_the_names_of_the_environment(tmp_path: Path, home: Path, storage: str) -> None:
    source = dataset(tmp_path, pictures(), storage)
    metadata = source / "data" / "metadata.json"
    about = json.loads(metadata.read_text())
    spec = {"id": "MountainCar-v0", "entry_point": "gymnasium.envs.classic_control.mountain_car:MountainCarEnv"}
    metadata.write_text(json.dumps({**about, "env_spec": json.dumps(spec)}))
    import_collection(home, source)
    names = ["accelerate left", "do not accelerate", "accelerate right", "accelerate left"]
    assert load_true_actions(home, "made-v0")["episode_1"] == names


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.filterwarnings("ignore")
def test_vectors_alone_are_refused(tmp_path: Path, home: Path, storage: str) -> None:
    source = dataset(tmp_path, gymnasium.spaces.Box(-1, 1, (7,), np.float32), storage)
    with pytest.raises(SwirlError, match=r"has no pictures or texts as observations, but observations \(7,\)"):
        import_collection(home, source)
