"""WebDataset archives and folders of pictures with a metadata table: which states follow each other."""

from __future__ import annotations

import csv
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from making import picture, scene, shapes, shown, video, write

from swirl.errors import SwirlError
from swirl.evaluation.true_actions import load_true_actions
from swirl.sources.collections.catalog import ImportReport, import_collection, load_sequences
from swirl.sources.formats.import_options import ImportOptions

pytestmark = pytest.mark.usefixtures("nothing_shipped")


def tar(path: Path, members: dict[str, bytes], mode: str = "w") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def notes(report: ImportReport) -> str:
    return " ".join(str(item) for item in report.skipped)


def states(home: Path, name: str) -> dict[str, list[str]]:
    return {sequence.id: [state.text for state in sequence.states] for sequence in load_sequences(home, name)}


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_pictures_by_name_and_number(tmp_path: Path, home: Path, mode: str) -> None:
    members = {}
    for episode in ("walk", "run"):
        for number in (1, 2, 3, 7, 8):
            members[f"{episode}_{number:04d}.png"] = picture(at=4 * number)
            members[f"{episode}_{number:04d}.json"] = json.dumps({"action": f"go {number}"}).encode()
    path = tar(tmp_path / ("set.tar.gz" if mode == "w:gz" else "set.tar"), members, mode)
    report = import_collection(home, path, "set")
    assert shapes(home, "set") == {"walk": 3, "walk#7": 2, "run": 3, "run#7": 2}
    assert np.array_equal(shown(load_sequences(home, "set")[1].states[1]), scene(32))
    assert load_true_actions(home, "set")["walk"] == ["go 1", "go 2"]
    assert "has a gap, from 3 to 7" in notes(report)


def test_folders_and_shards(tmp_path: Path, home: Path) -> None:
    for shard, numbers in enumerate([(0, 1), (2, 3)]):
        tar(tmp_path / "set" / f"{shard:05d}.tar", {f"a/{n}.png": picture(at=8 * n) for n in numbers})
    import_collection(home, tmp_path / "set")
    assert shapes(home, "set") == {"a": 4}


def test_episodes_in_the_json_in_any_order(tmp_path: Path, home: Path) -> None:
    members = {}
    for key, (episode, frame) in {"x": (0, 1), "y": (0, 0), "z": (1, 0), "w": (1, 1)}.items():
        members[f"{key}.txt"] = f"{episode} {frame}".encode()
        members[f"{key}.json"] = json.dumps({"episode_index": episode, "frame_index": frame}).encode()
    import_collection(home, tar(tmp_path / "set.tar", members))
    assert states(home, "set") == {"0": ["0 0", "0 1"], "1": ["1 0", "1 1"]}


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([{"position": place} for place in (0.3, 0.1, 0.4, -0.2, 0.0)], {"w": "abcde"}),
        ([{"turn": n % 2} for n in range(5)], {"w": "abcde"}),
        ([{"turn": 4 - n} for n in range(5)], {"w": "edcba"}),
        ([{"turn": n % 2, "step": 4 - n} for n in range(5)], {"w": "edcba"}),
        ([{"timestamp": at} for at in (100, 101, 101, 105, 108)], {"w": "abcde"}),
        ([{"step": at} for at in (0, 1, 1, 5, 6)], {"w": "ab", "w#5": "de"}),
    ],
)
def test_places_in_the_json_or_else_in_the_name(
    tmp_path: Path, home: Path, records: list[dict[str, Any]], expected: dict[str, str]
) -> None:
    members = {}
    for number, (state, record) in enumerate(zip("abcde", records, strict=True)):
        members[f"w_{number:04d}.txt"] = state.encode()
        members[f"w_{number:04d}.json"] = json.dumps(record).encode()
    import_collection(home, tar(tmp_path / "set.tar", members))
    assert states(home, "set") == {name: list(found) for name, found in expected.items()}


def test_samples_that_are_sequences(tmp_path: Path, home: Path) -> None:
    film = video(tmp_path / "film.mp4", [scene(4 * i) for i in range(12)]).read_bytes()
    members = {"one.mp4": film, **{f"two.{n:03d}.png": picture(at=8 * n) for n in range(3)}}
    import_collection(home, tar(tmp_path / "set.tar", members), options=ImportOptions(every=1, keep_duplicates=True))
    assert shapes(home, "set") == {"one": 12, "two": 3}
    record = {"states": ["a", "b"], "actions": ["go"]}
    import_collection(home, tar(tmp_path / "texts.tar", {"p.json": json.dumps(record).encode()}))
    assert states(home, "texts") == {"p": ["a", "b"]} and load_true_actions(home, "texts") == {"p": ["go"]}


def test_cameras(tmp_path: Path, home: Path) -> None:
    members = {
        f"a_{n}.{camera}.png": picture(at=8 * n + shift)
        for n in range(2)
        for camera, shift in (("top", 0), ("side", 40))
    }
    path = tar(tmp_path / "set.tar", members)
    report = import_collection(home, path)
    assert "has the cameras side, top; side was taken" in notes(report)
    import_collection(home, path, options=ImportOptions(camera="top"))
    assert np.array_equal(shown(load_sequences(home, "set")[0].states[1]), scene(8))


def test_what_cannot_be_told_is_asked(tmp_path: Path, home: Path) -> None:
    path = tar(tmp_path / "set.tar", {f"{n:06d}.png": picture(at=8 * n) for n in range(3)})
    with pytest.raises(SwirlError, match=r"does not say which samples follow each other.*--episode-column none"):
        import_collection(home, path)
    import_collection(home, path, options=ImportOptions(episode_column="none"))
    assert shapes(home, "set") == {"set": 3}


def test_an_archive_that_is_cut_off_keeps_its_beginning(tmp_path: Path, home: Path) -> None:
    path = tar(tmp_path / "set.tar", {f"a/{n}.png": picture(at=8 * n) for n in range(6)})
    path.write_bytes(path.read_bytes()[:4000])
    report = import_collection(home, path)
    assert 2 <= shapes(home, "set")["a"] < 6
    assert "set.tar is damaged" in notes(report)
    with pytest.raises(SwirlError, match=r"set2\.tar is damaged"):
        import_collection(home, write(tmp_path / "set2.tar", b"no archive"))


def test_an_archive_of_the_library_itself(tmp_path: Path, home: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    with webdataset.TarWriter(str(tmp_path / "made.tar")) as sink:
        for n in range(4):
            sink.write({"__key__": f"walk/{n:03d}", "png": scene(8 * n), "json": {"action": n}})
    import_collection(home, tmp_path / "made.tar")
    assert shapes(home, "made") == {"walk": 4}
    assert np.array_equal(shown(load_sequences(home, "made")[0].states[3]), scene(24))
    assert load_true_actions(home, "made") == {"walk": ["action 0", "action 1", "action 2"]}


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_metadata_table_tells_sequences(tmp_path: Path, home: Path, kind: str) -> None:
    folder = tmp_path / "set"
    rows: list[dict[str, Any]] = [
        {"file_name": f"{n}.png", "episode_id": "pq"[n % 2], "step": n // 2, "action": f"do {n}"} for n in range(6)
    ]
    for n in range(6):
        write(folder / f"{n}.png", picture(at=8 * n))
    with (folder / f"metadata.{kind}").open("w", newline="") as file:
        if kind == "csv":
            table = csv.DictWriter(file, rows[0])
            table.writeheader()
            table.writerows(rows)
        else:
            file.writelines(json.dumps(row) + "\n" for row in rows)
    import_collection(home, folder)
    assert shapes(home, "set") == {"p": 3, "q": 3}
    assert np.array_equal(shown(load_sequences(home, "set")[1].states[2]), scene(40))
    assert load_true_actions(home, "set") == {"p": ["do 0", "do 2"], "q": ["do 1", "do 3"]}


def test_a_metadata_table_names_what_is_missing(tmp_path: Path, home: Path) -> None:
    folder = tmp_path / "set"
    lines = ["file_name,episode,step", "0.png,a,0", "1.png,a,1", "gone.png,a,2", ",a,3", "../out.png,a,4"]
    for n in range(2):
        write(folder / f"{n}.png", picture(at=8 * n))
    write(folder / "metadata.csv", "\n".join(lines).encode())
    report = import_collection(home, folder)
    assert shapes(home, "set") == {"a": 2}
    assert "names the picture 'gone.png', which cannot be read" in notes(report)
    assert "metadata.csv: row 4 lacks" in notes(report) and "has a gap, from 2 to 4" in notes(report)


def folder_with_table(folder: Path, lines: list[str]) -> Path:
    """A folder of six pictures, `0.png` to `5.png`, with these lines as its table."""
    for n in range(6):
        write(folder / f"{n}.png", picture(at=8 * n))
    write(folder / "metadata.csv", "\n".join(lines).encode())
    return folder


def order_of(home: Path, name: str) -> dict[str, list[int]]:
    """The numbers of the pictures of each sequence that `folder_with_table` gave."""
    known = [scene(8 * n).tobytes() for n in range(6)]
    return {
        sequence.id: [known.index(shown(state).tobytes()) for state in sequence.states]
        for sequence in load_sequences(home, name)
    }


@pytest.mark.parametrize("times", ["2024-01-01T00:00:0{}", "170000000{}", "{}.5"])
def test_times_in_a_metadata_table_are_no_gaps(tmp_path: Path, home: Path, times: str) -> None:
    lines = [f"{n}.png,e,{times.format(at)}" for n, at in enumerate((0, 2, 2, 6, 8, 1))]
    report = import_collection(home, folder_with_table(tmp_path / "set", ["file_name,episode,timestamp", *lines]))
    assert order_of(home, "set") == {"e": [0, 5, 1, 2, 3, 4]} and not report.skipped


def test_data_in_a_metadata_table_are_no_places(tmp_path: Path, home: Path) -> None:
    lines = [f"{n}.png,e,{place}" for n, place in enumerate((0.3, 0.1, 0.4, -0.2, 0.0, 0.5))]
    folder = folder_with_table(tmp_path / "set", ["file_name,episode,position", *lines])
    assert "metadata.csv has no column of places" in notes(import_collection(home, folder))
    assert order_of(home, "set") == {"e": [0, 1, 2, 3, 4, 5]}


def test_ids_in_a_metadata_table_that_come_again_tell_sequences(tmp_path: Path, home: Path) -> None:
    lines = [f"{n}.png,{'pq'[n % 2]},{n // 2}" for n in range(6)]
    import_collection(home, folder_with_table(tmp_path / "set", ["file_name,id,step", *lines]))
    assert order_of(home, "set") == {"p": [0, 2, 4], "q": [1, 3, 5]}
    folder_with_table(tmp_path / "set", ["file_name,who,step", *lines])
    with pytest.raises(SwirlError, match=r"as step begins anew again and again\. Name the column .* --episode-column"):
        import_collection(home, tmp_path / "set")


def test_all_rows_of_a_metadata_table_as_one_sequence(tmp_path: Path, home: Path) -> None:
    lines = [f"{n}.png,{n},{5 - n}" for n in range(6)]
    folder = folder_with_table(tmp_path / "set", ["file_name,episode,step", *lines])
    import_collection(home, folder, options=ImportOptions(episode_column="none"))
    assert order_of(home, "set") == {"set": [5, 4, 3, 2, 1, 0]}
    import_collection(home, folder, options=ImportOptions(episode_column="none", order_column="none"))
    assert order_of(home, "set") == {"set": [0, 1, 2, 3, 4, 5]}


def test_a_metadata_table_that_is_damaged_further_down_is_named(tmp_path: Path, home: Path) -> None:
    folder = folder_with_table(tmp_path / "set", [])
    (folder / "metadata.csv").unlink()
    rows = [json.dumps({"file_name": f"{n}.png", "episode": "e", "turn": n}) for n in range(6)]
    write(folder / "metadata.jsonl", "\n".join([*rows[:4], "{", *rows[4:]]).encode())
    with pytest.raises(SwirlError, match=r"The metadata of .* cannot be read"):
        import_collection(home, folder)
