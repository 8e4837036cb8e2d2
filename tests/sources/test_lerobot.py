"""LeRobot datasets: frames by counting, whichever version the files are, and nothing across two episodes."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from lerobot_files import coded, decode, info, own_files, shared_files, table
from making import shapes, shown

from swirl.errors import SwirlError
from swirl.evaluation.true_actions import load_true_actions
from swirl.sources.collections.catalog import ImportReport, import_collection, load_sequences
from swirl.sources.formats.import_options import ImportOptions
from swirl.sources.formats.still_images import encode_frame

pytestmark = pytest.mark.usefixtures("nothing_shipped")


def notes(report: ImportReport) -> str:
    return " ".join(str(item) for item in report.skipped)


def numbers(home: Path, name: str) -> dict[str, list[int]]:
    """The numbers that the frames of each sequence show."""
    return {item.id: [decode(shown(state)) for state in item.states] for item in load_sequences(home, name)}


def test_forty_episodes_in_one_film_whose_timestamps_drift(tmp_path: Path, home: Path) -> None:
    lengths = [5 + number % 7 for number in range(40)]
    import_collection(home, shared_files(tmp_path / "arm", lengths, drift=0.5))
    starts = [sum(lengths[:number]) for number in range(40)]
    assert numbers(home, "arm") == {
        f"episode-{number}": list(range(start, start + length))
        for number, (start, length) in enumerate(zip(starts, lengths, strict=True))
    }
    assert load_true_actions(home, "arm")["episode-3"][:2] == ["shoulder 3.5, gripper 0", "shoulder 3.5, gripper 1"]


def test_cameras_steps_and_an_overhang(tmp_path: Path, home: Path) -> None:
    folder = shared_files(tmp_path / "arm", [6, 5], ("wrist", "front"), extra_frames=3)
    report = import_collection(home, folder)
    assert "has the cameras front, wrist; front was taken" in notes(report)
    assert "with 3 frames after its last episode, left out" in notes(report)
    assert numbers(home, "arm")["episode-1"] == [1006, 1007, 1008, 1009, 1010]
    options = ImportOptions(camera="wrist", every=2)
    import_collection(home, folder, options=options)
    assert numbers(home, "arm") == {"episode-0": [0, 2, 4], "episode-1": [6, 8, 10]}
    assert [sequence.frame_step for sequence in load_sequences(home, "arm")] == [2, 2]
    assert load_true_actions(home, "arm") == {}
    with pytest.raises(SwirlError, match="has no camera 'back'; it has front, wrist"):
        import_collection(home, folder, options=ImportOptions(camera="back"))


@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
def test_files_count_not_the_version_that_is_claimed(tmp_path: Path, home: Path, version: str) -> None:
    import_collection(home, own_files(tmp_path / "two", [4, 5], version))
    assert numbers(home, "two") == {"episode-0": [0, 1, 2, 3], "episode-1": [100, 101, 102, 103, 104]}
    if version == "v2.1":
        import_collection(home, shared_files(tmp_path / "three", [3, 4], version="v2.1"))
        assert numbers(home, "three") == {"episode-0": [0, 1, 2], "episode-1": [3, 4, 5, 6]}


def test_other_frames_between_two_episodes(tmp_path: Path, home: Path) -> None:
    folder = shared_files(tmp_path / "arm", [4, 3, 5])
    file = folder / "meta/episodes/chunk-000/file-000.parquet"
    rows = pq.read_table(file)
    pq.write_table(rows.filter(pa.array([True, False, True])), file)  # an episode that was deleted from the list
    import_collection(home, folder)
    assert numbers(home, "arm") == {"episode-0": [0, 1, 2, 3], "episode-2": [7, 8, 9, 10, 11]}


def test_a_film_that_ends_early_or_is_missing(tmp_path: Path, home: Path) -> None:
    folder = shared_files(tmp_path / "arm", [6, 6])
    episodes = folder / "meta/episodes/chunk-000/file-000.parquet"
    rows = pq.read_table(episodes).to_pydict()
    rows["length"] = [6, 9]
    pq.write_table(pa.table(rows), episodes)
    report = import_collection(home, folder)
    assert shapes(home, "arm") == {"episode-0": 6, "episode-1": 6}
    assert "episode 1 ends after 6 of its 9 frames; those are kept" in notes(report)
    assert set(load_true_actions(home, "arm")) == {"episode-0"}
    own = own_files(tmp_path / "own", [3, 3, 3])
    (own / "videos/chunk-000/observation.images.top/episode_000001.mp4").unlink()
    (own / "data/chunk-000/episode_000002.parquet").write_bytes(b"PAR1")
    report = import_collection(home, own)
    assert shapes(home, "own") == {"episode-0": 3}
    assert "episode 1 lacks its film videos/chunk-000" in notes(report)
    assert "episode 2 cannot be read: its table data/chunk-000/episode_000002.parquet is not" in notes(report)


def test_pictures_in_the_table(tmp_path: Path, home: Path) -> None:
    from PIL import Image

    folder = tmp_path / "stills"
    info(folder, ["top"], "image", "v3.0")
    pictures = [
        {"bytes": encode_frame(Image.fromarray(coded(n)), (96, 64), ".png").data, "path": None} for n in range(5)
    ]
    table(folder / "data/chunk-000/file-000.parquet", {0: 2, 1: 3}, {"observation.images.top": pictures})
    (folder / "meta/episodes/chunk-000").mkdir(parents=True)
    rows = {"episode_index": [0, 1], "length": [2, 3], "data/chunk_index": [0, 0], "data/file_index": [0, 0]}
    pq.write_table(pa.table(rows), folder / "meta/episodes/chunk-000/file-000.parquet")
    import_collection(home, folder)
    assert numbers(home, "stills") == {"episode-0": [0, 1], "episode-1": [2, 3, 4]}


def test_damaged_descriptions_give_one_sentence(tmp_path: Path, home: Path) -> None:
    folder = own_files(tmp_path / "own", [3])
    (folder / "meta/info.json").write_text("{")
    with pytest.raises(SwirlError, match=r"info\.json is damaged"):
        import_collection(home, folder)
    (folder / "meta/info.json").write_text(json.dumps({"features": {"action": {"dtype": "float32"}}}))
    with pytest.raises(SwirlError, match="has neither a camera nor texts among its features"):
        import_collection(home, folder)
    info(folder, ["top"], "video", "v2.1", video_path="../{video_key}/{episode_index}.mp4")
    with pytest.raises(SwirlError, match=r"outside its folder; correct meta/info\.json"):
        import_collection(home, folder)
    (folder / "meta/episodes.jsonl").write_text('{"episode_index": 0}')
    with pytest.raises(SwirlError, match=r"line 1 of meta/episodes\.jsonl that is damaged"):
        import_collection(home, folder)
    (folder / "meta/episodes.jsonl").unlink()
    with pytest.raises(SwirlError, match=r"neither meta/episodes/ nor meta/episodes\.jsonl"):
        import_collection(home, folder)


def test_a_dataset_without_an_episode(tmp_path: Path, home: Path) -> None:
    folder = own_files(tmp_path / "own", [3])
    (folder / "meta/episodes.jsonl").write_text("\n")
    with pytest.raises(SwirlError, match="has no episode"):
        import_collection(home, folder)
    shared = shared_files(tmp_path / "arm", [3, 4])
    table_file = shared / "meta/episodes/chunk-000/file-000.parquet"
    rows = pq.read_table(table_file)
    pq.write_table(pa.concat_tables([rows, rows.slice(1)]), table_file)
    with pytest.raises(SwirlError, match="lists the episode 1 twice"):
        import_collection(home, shared)
