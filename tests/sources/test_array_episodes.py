"""Files of arrays: where episodes begin and end, which pictures and actions are taken, what is said and refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from lerobot_files import shared_files, table
from making import shapes, shown

from swirl.errors import SwirlError
from swirl.evaluation.true_actions import load_true_actions
from swirl.sources.collections.catalog import ImportReport, import_collection, load_sequences
from swirl.sources.collections.previewing import preview_import
from swirl.sources.formats.episodes import camera_labels
from swirl.sources.formats.import_options import ImportOptions

pytestmark = pytest.mark.usefixtures("nothing_shipped")
CASES = Path(__file__).parents[2].parent / "shared" / "cases"


def pictures(count: int, seed: int = 0, shape: tuple[int, ...] = (24, 32, 3)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8)


def frames(home: Path, name: str, number: int = 0) -> np.ndarray:
    return np.stack([shown(state) for state in load_sequences(home, name)[number].states])


def notes(report: ImportReport) -> str:
    return " ".join(str(item) for item in report.skipped)


def test_npy_of_one_and_of_many_episodes(tmp_path: Path, home: Path) -> None:
    one, many = pictures(5), np.stack([pictures(4, seed) for seed in (1, 2)])
    np.save(tmp_path / "one.npy", one)
    np.save(tmp_path / "many.npy", many)
    assert import_collection(home, tmp_path / "one.npy").transitions == 4
    import_collection(home, tmp_path / "many.npy")
    assert shapes(home, "many") == {"many-0": 4, "many-1": 4}
    assert np.array_equal(frames(home, "one"), one) and np.array_equal(frames(home, "many", 1), many[1])


def test_npz_with_first_frames_marked(tmp_path: Path, home: Path) -> None:
    image, first = pictures(7), np.array([1, 0, 0, 1, 0, 0, 0], dtype=bool)
    action = np.arange(7)  # each stands at the frame that it led to
    np.savez(tmp_path / "replay.npz", image=image, is_first=first, action=action, reward=np.zeros(7))
    import_collection(home, tmp_path / "replay.npz")
    assert shapes(home, "replay") == {"replay-0": 3, "replay-1": 4}
    assert np.array_equal(frames(home, "replay", 1), image[3:])
    assert load_true_actions(home, "replay") == {
        "replay-0": ["action 1", "action 2"],
        "replay-1": ["action 4", "action 5", "action 6"],
    }


def test_flat_hdf5_with_ends_marked(tmp_path: Path, home: Path) -> None:
    image = pictures(6)
    with h5py.File(tmp_path / "flat.hdf5", "w") as file:
        file["observations"], file["actions"] = image, np.linspace(0, 1, 12).reshape(6, 2)
        file["terminals"], file["timeouts"] = np.array([0, 1, 0, 0, 0, 0]), np.zeros(6)
    import_collection(home, tmp_path / "flat.hdf5")
    assert shapes(home, "flat") == {"flat-0": 2, "flat-1": 4}
    assert load_true_actions(home, "flat")["flat-0"] == ["(0, 0.0909)"]


def write_robomimic(path: Path) -> dict[str, np.ndarray]:
    """Two demonstrations with two cameras, not in the order of their names."""
    kept = {}
    with h5py.File(path, "w") as file:
        for number in (10, 2):
            demo = file.create_group(f"data/demo_{number}")
            for camera in ("wrist", "agentview"):
                kept[f"{number} {camera}"] = demo[f"obs/{camera}_image"] = pictures(4, number + len(camera))
            demo["obs/joints"], demo["actions"] = np.zeros((4, 7)), np.eye(4, dtype=np.int64)
    return {name: data[...] if hasattr(data, "shape") else data for name, data in kept.items()}


def test_demonstrations_with_cameras(tmp_path: Path, home: Path) -> None:
    kept = write_robomimic(tmp_path / "lift.hdf5")
    report = import_collection(home, tmp_path / "lift.hdf5")
    assert shapes(home, "lift") == {"demo_2": 4, "demo_10": 4}
    assert np.array_equal(frames(home, "lift"), kept["2 agentview"])
    assert "agentview_image, wrist_image; agentview_image was taken" in notes(report)
    assert load_true_actions(home, "lift")["demo_2"] == ["action 0", "action 1", "action 2"]
    import_collection(home, tmp_path / "lift.hdf5", options=ImportOptions(camera="wrist_image"))
    assert np.array_equal(frames(home, "lift", 1), kept["10 wrist"])
    with pytest.raises(SwirlError, match=r"has no camera 'top'; it has agentview_image, wrist_image"):
        import_collection(home, tmp_path / "lift.hdf5", options=ImportOptions(camera="top"))


@pytest.mark.parametrize("below", ["", "data/", "data/task_1/"])
def test_demonstrations_in_groups_by_split(tmp_path: Path, home: Path, below: str) -> None:
    with h5py.File(tmp_path / "lift.hdf5", "w") as file:
        for split in ("train", "val"):
            for number in range(3):
                file[f"{below}{split}/demo_{number}/obs/image"] = pictures(4, number)
                file[f"{below}{split}/demo_{number}/actions"] = np.arange(4)
    report = import_collection(home, tmp_path / "lift.hdf5")
    prefix = below.removeprefix("data/")
    expected = [f"{prefix}{split}/demo_{number}" for split in ("train", "val") for number in range(3)]
    assert shapes(home, "lift") == dict.fromkeys(expected, 4) and report.skipped == ()
    assert load_true_actions(home, "lift")[expected[-1]] == ["action 0", "action 1", "action 2"]
    assert preview_import(tmp_path / "lift.hdf5").summary == "6 sequences of 4 states"


def test_numbered_cameras_are_no_episodes_and_have_different_names(tmp_path: Path, home: Path) -> None:
    with h5py.File(tmp_path / "arm.hdf5", "w") as file:
        file["observations/images/cam_0/rgb"], file["observations/images/cam_1/rgb"] = pictures(4, 1), pictures(4, 2)
        file["robot/cam_2/rgb"] = pictures(4, 3)
    first = "observations/images/cam_0/rgb"
    report = import_collection(home, tmp_path / "arm.hdf5")
    assert shapes(home, "arm") == {"arm": 4}
    said = f"has the cameras {first}, observations/images/cam_1/rgb, robot/cam_2/rgb; {first} was taken"
    assert said in notes(report)
    options = ImportOptions(camera="robot/cam_2/rgb")
    import_collection(home, tmp_path / "arm.hdf5", options=options)
    assert np.array_equal(frames(home, "arm"), pictures(4, 3))
    assert camera_labels(["obs/top", "obs/left/rgb", "obs/right/rgb"]) == ("obs/left/rgb", "obs/right/rgb", "top")


@pytest.mark.parametrize(
    ("arrays", "expected"),
    [
        ({"image": pictures(6), "actions": np.arange(5)}, [[0, 1, 2, 3, 4]]),
        ({"image": pictures(6), "action": np.arange(6), "actions": np.arange(5, 10)}, [[0, 1, 2, 3, 4]]),
        ({"image": pictures(6), "is_first": [1, 0, 0, 0, 0, 0], "action": np.arange(5)}, [[0, 1, 2, 3, 4]]),
        ({"image": pictures(6), "is_last": [0, 0, 1, 0, 0, 1], "action": np.arange(4)}, [[0, 1], [2, 3]]),
        ({"image": pictures(6), "is_last": [0, 0, 1, 0, 0, 1], "action": np.arange(5)}, [[0, 1], [3, 4]]),
        ({"image": np.stack([pictures(4)] * 2), "action": np.arange(6).reshape(2, 3)}, [[0, 1, 2], [3, 4, 5]]),
        (
            {"image": np.stack([pictures(4)] * 2), "length": [3, 4], "action": np.arange(6).reshape(2, 3)},
            [[0, 1], [3, 4, 5]],
        ),
        (
            {
                "image": np.stack([pictures(4)] * 2),
                "is_first": [[1, 0, 0, 0]] * 2,
                "action": np.arange(6).reshape(2, 3),
            },
            [[0, 1, 2], [3, 4, 5]],
        ),
    ],
)
def test_actions_of_all_but_the_last_frame(
    tmp_path: Path, home: Path, arrays: dict[str, Any], expected: list[list[int]]
) -> None:
    arrays = {name: np.array(values) for name, values in arrays.items()}
    np.savez(tmp_path / "r.npz", **arrays)
    report = import_collection(home, tmp_path / "r.npz")
    assert list(load_true_actions(home, "r").values()) == [[f"action {n}" for n in each] for each in expected]
    assert report.skipped == ()
    if arrays["image"].ndim == 4:
        with h5py.File(tmp_path / "h.hdf5", "w") as file:
            for name, values in arrays.items():
                file[name] = values
        import_collection(home, tmp_path / "h.hdf5")
        assert list(load_true_actions(home, "h").values()) == list(load_true_actions(home, "r").values())


def test_actions_that_fit_nothing_are_said_to_be_left_out(tmp_path: Path, home: Path) -> None:
    np.savez(tmp_path / "r.npz", image=pictures(6), actions=np.arange(3))
    report = import_collection(home, tmp_path / "r.npz")
    assert "r.npz has 3 values of actions for 6 frames, which were left out; save one for each" in notes(report)
    np.savez(tmp_path / "n.npz", image=np.stack([pictures(4)] * 2), action=np.arange(4).reshape(2, 2))
    report = import_collection(home, tmp_path / "n.npz")
    assert "n.npz has 2 values of action for 8 frames, which were left out" in notes(report)
    with h5py.File(tmp_path / "g.hdf5", "w") as file:
        for number, count in enumerate((4, 2)):
            file[f"demo_{number}/obs/image"], file[f"demo_{number}/actions"] = pictures(4), np.arange(count)
    report = import_collection(home, tmp_path / "g.hdf5")
    assert list(load_true_actions(home, "g")) == ["demo_0"]
    assert "g.hdf5 has 2 actions for the 4 states of demo_1, which were left out; save one for each" in notes(report)


BUTTONS = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 0], [0, 1, 0], [0, 1, 1], [0, 0, 0]], dtype=np.int8)
"""Of two episodes of three frames; those of the last frames lead nowhere."""


def folder_of_files(folder: Path, buttons: np.ndarray) -> None:
    for number in range(2):
        np.savez(folder / f"{number}.npz", image=pictures(3), actions=buttons[3 * number : 3 * number + 3])


def lerobot(folder: Path, buttons: np.ndarray) -> None:
    shared_files(folder, [3, 3])
    actions = pa.array(buttons.tolist(), pa.list_(pa.int64()))
    table(folder / "data/chunk-000/file-000.parquet", {0: 3, 1: 3}, {"action": actions})


def minari_tables(folder: Path, buttons: np.ndarray) -> None:
    (folder / "metadata.json").write_text("{}")
    for number in range(2):
        (folder / str(number)).mkdir()
        actions = buttons[3 * number : 3 * number + 3].tolist()
        columns = {"observations": ["a", "b", "c"], "actions": actions}
        pq.write_table(pa.table(columns), folder / str(number) / "part.parquet")


@pytest.mark.parametrize("make", [folder_of_files, lerobot, minari_tables])
def test_what_actions_are_is_decided_once_for_a_folder(tmp_path: Path, home: Path, make: Any) -> None:
    for name, buttons in (("held", BUTTONS), ("chosen", BUTTONS[[0, 1, 2, 3, 1, 5]])):
        (tmp_path / name).mkdir()
        make(tmp_path / name, buttons)
        import_collection(home, tmp_path / name)
    told = ["(0, 1, 0)", "(1, 0, 0)"], ["(0, 1, 0)", "(0, 1, 1)"]
    assert list(load_true_actions(home, "held").values()) == list(told)
    assert list(load_true_actions(home, "chosen").values()) == [["action 1", "action 0"]] * 2


@pytest.mark.parametrize("kind", ["npz", "hdf5"])
@pytest.mark.parametrize(
    ("buttons", "first", "second"),
    [
        (BUTTONS, ["(0, 1, 0)", "(1, 0, 0)"], ["(0, 1, 0)", "(0, 1, 1)"]),
        (BUTTONS[[0, 1, 2, 3, 1, 5]], ["action 1", "action 0"], ["action 1", "action 0"]),
    ],
)
def test_what_actions_are_is_decided_once_for_a_file(
    tmp_path: Path, home: Path, kind: str, buttons: np.ndarray, first: list[str], second: list[str]
) -> None:
    if kind == "npz":
        np.savez(tmp_path / "mb.npz", image=pictures(6), is_last=np.array([0, 0, 1, 0, 0, 1]), actions=buttons)
    else:
        with h5py.File(tmp_path / "mb.hdf5", "w") as file:
            for number in range(2):
                file[f"demo_{number}/obs/image"] = pictures(3)
                file[f"demo_{number}/actions"] = buttons[3 * number : 3 * number + 3]
    import_collection(home, tmp_path / f"mb.{kind}")
    assert list(load_true_actions(home, "mb").values()) == [first, second]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda data: data.astype(np.float32) / 255, ""),
        (lambda data: data.transpose(0, 3, 1, 2), ""),
        (lambda data: data.astype(np.uint16) * 100, "scaled by each sequence's own range"),
        (lambda data: data.astype(np.float64) - 300, "scaled by each sequence's own range"),
    ],
)
def test_pictures_in_other_number_formats_and_orders(tmp_path: Path, home: Path, make: Any, said: str) -> None:
    data = pictures(4)
    data[0, 0, 0], data[0, 0, 1] = 0, 255
    np.save(tmp_path / "made.npy", make(data))
    report = import_collection(home, tmp_path / "made.npy")
    assert np.abs(frames(home, "made").astype(int) - data).max() <= 1
    assert said in notes(report) and bool(report.skipped) == bool(said)


def test_a_minari_dataset_written_by_minari(home: Path) -> None:
    source = CASES / "minari-jpeg"
    if not source.exists():
        pytest.skip(f"{source} is not there")
    report = import_collection(home, source)
    assert shapes(home, "minari-jpeg") == {f"episode_{number}": 7 for number in range(3)}
    assert "as JPEG, which is lossy" in notes(report)
    assert load_true_actions(home, "minari-jpeg")["episode_0"] == ["move forward"] * 6


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("cut.npy", b"\x93NUMPY\x01\x00", "not a readable file of arrays"),
        ("text.hdf5", b"no arrays here", "not a readable file of arrays"),
        ("cut.npz", b"PK\x03\x04broken", "not a readable file of arrays"),
    ],
)
def test_damaged_files_give_one_sentence(tmp_path: Path, home: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SwirlError, match=said):
        import_collection(home, tmp_path / name)


def test_what_holds_no_pictures_or_objects_is_refused(tmp_path: Path, home: Path) -> None:
    np.savez(tmp_path / "vectors.npz", observations=np.zeros((9, 17)))
    with pytest.raises(SwirlError, match="holds no pictures"):
        import_collection(home, tmp_path / "vectors.npz")
    np.save(tmp_path / "objects.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(SwirlError, match="not a readable file of arrays"):
        import_collection(home, tmp_path / "objects.npy")


def test_no_other_file_is_opened(tmp_path: Path, home: Path) -> None:
    with h5py.File(tmp_path / "other.hdf5", "w") as other:
        other["observations"] = pictures(4)
    with h5py.File(tmp_path / "linked.hdf5", "w") as file:
        file["observations"] = h5py.ExternalLink("other.hdf5", "observations")
    with pytest.raises(SwirlError, match="holds no pictures"):
        import_collection(home, tmp_path / "linked.hdf5")
    (tmp_path / "raw.bin").write_bytes(pictures(4).tobytes())
    with h5py.File(tmp_path / "raw.hdf5", "w") as file:
        file.create_dataset("observations", (4, 24, 32, 3), "u1", external=[("raw.bin", 0, h5py.h5f.UNLIMITED)])
    with pytest.raises(SwirlError, match="in another file, which is not opened"):
        import_collection(home, tmp_path / "raw.hdf5")


def test_an_episode_of_one_frame_is_named(tmp_path: Path, home: Path) -> None:
    np.savez(tmp_path / "short.npz", image=pictures(4), is_first=np.array([1, 1, 0, 0]))
    report = import_collection(home, tmp_path / "short.npz")
    assert shapes(home, "short") == {"short-1": 3} and "short-0 has one frame" in notes(report)


def test_a_folder_of_replays_and_demonstrations(tmp_path: Path, home: Path) -> None:
    folder = tmp_path / "replay"
    folder.mkdir()
    for number in (10, 2):
        np.savez(folder / f"ep{number}.npz", image=pictures(4, number), action=np.arange(4))
    (folder / "ep3.npz").write_bytes(b"PK broken")
    write_robomimic(folder / "lift.hdf5")
    report = import_collection(home, folder)
    assert shapes(home, "replay") == {"ep2": 4, "ep10": 4, "lift/demo_2": 4, "lift/demo_10": 4}
    assert np.array_equal(frames(home, "replay", 1), pictures(4, 10))
    assert load_true_actions(home, "replay")["ep2"] == ["action 0", "action 1", "action 2"]
    assert "ep3.npz is not a readable file of arrays" in notes(report)


def test_files_without_an_episode(tmp_path: Path, home: Path) -> None:
    with h5py.File(tmp_path / "none.hdf5", "w") as file:
        file.create_group("data")
    with pytest.raises(SwirlError, match="holds no pictures"):
        import_collection(home, tmp_path / "none.hdf5")
    np.save(tmp_path / "none.npy", np.zeros((0, 24, 32, 3), np.uint8))
    with pytest.raises(SwirlError, match="holds no pictures"):
        import_collection(home, tmp_path / "none.npy")


def test_a_damaged_demonstration_leaves_the_good_rest(tmp_path: Path, home: Path) -> None:
    path = tmp_path / "lift.hdf5"
    with h5py.File(path, "w") as file:
        file["data/demo_0/obs/image"] = pictures(4)
        file["data/demo_1/obs/joints"] = np.zeros((4, 7))
        bad = file.create_dataset(
            "data/demo_2/obs/image", data=pictures(4, 2), chunks=(1, 24, 32, 3), compression="gzip"
        )
        file.flush()
        chunk = bad.id.get_chunk_info(1)
    with path.open("r+b") as raw:
        raw.seek(chunk.byte_offset)
        raw.write(b"damage" * 20)
    report = import_collection(home, path)
    assert shapes(home, "lift") == {"demo_0": 4, "demo_2#3": 2}
    assert "episode 2 has no pictures or texts as observations, but joints (7,)" in notes(report)
    assert "demo_2, frame 2 cannot be read" in notes(report)
