"""Data of the field as people hold them: nothing crosses episodes, nothing is read wrongly or ends in a traceback."""

from __future__ import annotations

import json
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from lerobot_files import coded, decode, shared_files
from making import frames, picture, shapes, shown, write
from test_column_episodes import images, notes, table, texts
from test_webdataset_and_image_folder import tar

from swirl.errors import SwirlError, UsageError
from swirl.evaluation.true_actions import load_true_actions
from swirl.exports.state_sequences import export_collection
from swirl.sources.collections.catalog import import_collection, load_sequences
from swirl.sources.collections.previewing import preview_import
from swirl.sources.formats.episodes import describe_action, describe_actions
from swirl.sources.formats.import_options import ImportOptions
from swirl.sources.formats.row_order import place_name

pytestmark = pytest.mark.usefixtures("nothing_shipped")


def pictures(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 24, 32, 3), dtype=np.uint8)


# tables


def test_rows_after_a_damaged_place_of_a_shard_stay_where_they_are(tmp_path: Path, home: Path) -> None:
    folder, rows = tmp_path / "set", 140_000
    for shard in range(2):
        episodes = [f"e{shard}-{row // 10}" for row in range(rows)]
        columns = {"state": [f"{name} {row % 10}" for row, name in enumerate(episodes)], "episode": episodes}
        table(
            folder / f"{shard}.parquet", {**columns, "step": [row % 10 for row in range(rows)]}, row_group_size=70_000
        )
    file = folder / "0.parquet"
    place = pq.ParquetFile(file).metadata.row_group(1).column(2)
    raw = bytearray(file.read_bytes())
    raw[place.data_page_offset : place.data_page_offset + 40] = b"\xff" * 40
    file.write_bytes(raw)
    report = import_collection(home, folder)
    assert "0.parquet is not a readable table" in notes(report)
    for name, states in texts(home, "set").items():
        assert states == [f"{name} {step}" for step in range(len(states))]
    assert {"e0-0", "e1-13999"} <= set(texts(home, "set"))


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"step": [0, 1, 2, 0, 7], "episode": list("aaabb")}, {"a": 3}),
        ({"step": [0, None, 2, 0, 1], "episode": list("aaabb")}, {"b": 2}),
        ({"timestamp": [0.0, 1.0, 2.0, 3.0, 4.0], "episode": ["a", "a", None, "a", "a"]}, {"a": 2, "a#3": 2}),
        ({"step": [3, 4, None, 0, 1]}, {"s": 2, "s-1": 2}),
        ({"step": [0.0, 1.0, 2.5, 5.0, 6.0], "episode": list("aaaaa")}, {"a": 5}),
        ({"step": [Decimal(n) for n in range(5)], "episode": list("aaaaa")}, {"a": 5}),
        ({"step": list("01256"), "episode": list("aaaaa")}, {"a": 3, "a#5": 2}),
        ({"step": [f"2026-01-0{n}" for n in (1, 2, 5, 6, 9)], "episode": list("aaaaa")}, {"a": 5}),
    ],
)
def test_gaps_and_places_of_every_kind(
    tmp_path: Path, home: Path, columns: dict[str, Any], expected: dict[str, int]
) -> None:
    import_collection(home, table(tmp_path / "s.parquet", {"state": list("vwxyz"), **columns}))
    assert {name: len(states) for name, states in texts(home, "s").items()} == expected


def test_rows_of_the_same_time_are_all_kept(tmp_path: Path, home: Path) -> None:
    columns = {"state": list("abcdef"), "timestamp": [100, 101, 101, 102, 103, 103], "action": list("123456")}
    report = import_collection(home, table(tmp_path / "s.parquet", {**columns, "episode": ["e"] * 6}))
    assert texts(home, "s") == {"e": list("abcdef")} and not report.skipped
    assert load_true_actions(home, "s") == {"e": list("12345")}


def test_parts_after_gaps_have_names_of_their_own(tmp_path: Path, home: Path) -> None:
    places = [first + n for first in (12345600, 12345620, 12345640) for n in range(3)]
    columns = {"state": [f"at {place}" for place in places], "frame_index": places, "episode": ["e"] * 9}
    report = import_collection(home, table(tmp_path / "s.parquet", columns))
    assert list(texts(home, "s")) == ["e", "e#12345620", "e#12345640"]
    assert "has a gap, from 12345602 to 12345620" in notes(report)


@pytest.mark.parametrize(
    ("place", "name"),
    [(3.0, "3"), (-2.0, "-2"), (0.25, "0.25"), (12345620.0, "12345620"), (1700000000.5, "1700000000.5")],
)
def test_a_place_has_all_of_its_digits(place: float, name: str) -> None:
    assert place_name(place) == place_name(np.float64(place)) == name


def test_a_csv_table_without_columns_of_episodes_or_places(tmp_path: Path, home: Path) -> None:
    lines = ["episode,step,state", "p,3,d", "q,1,b", "q,0,a", "", "p,2,c"]
    path = write(tmp_path / "t.csv", "\n".join(lines).encode())
    import_collection(home, path, options=ImportOptions(episode_column="none"))
    assert texts(home, "t") == {"t": ["a", "b", "c", "d"]}
    import_collection(home, path, options=ImportOptions(episode_column="episode", order_column="none"))
    assert texts(home, "t") == {"p": ["d", "c"], "q": ["b", "a"]}
    write(path, "\n".join([*lines, 'p,0,"x"y', "p,1,e", "p,0,f"]).encode())
    report = import_collection(home, path, options=ImportOptions(episode_column="none", order_column="none"))
    assert texts(home, "t") == {"t": ["d", "b", "a", "c"], "t#8": ["e", "f"]}
    assert "t.csv:8 follows a gap in sequence 't', where a row cannot be used; the sequence is split" in notes(report)


def test_a_csv_table_names_the_columns_that_were_asked_for(tmp_path: Path, home: Path) -> None:
    path = write(tmp_path / "t.csv", b"episode,n,text\np,0,a\np,1,b\n")
    options = ImportOptions(episode_column="episode", order_column="when", state_column="text")
    with pytest.raises(SwirlError, match=r"lacks when in its first line, .*; name the columns episode, when, text, or"):
        import_collection(home, path, options=options)


def test_a_missing_text_divides_its_episode(tmp_path: Path, home: Path) -> None:
    columns = {"state": ["a", "b", None, "c", "d"], "step": range(5), "action": [f"do {n}" for n in range(5)]}
    report = import_collection(home, table(tmp_path / "s.parquet", columns))
    assert texts(home, "s") == {"s": ["a", "b"], "s#4": ["c", "d"]}
    assert load_true_actions(home, "s") == {"s": ["do 0"], "s#4": ["do 3"]}
    assert "frame 3 has no text" in notes(report)


def test_columns_that_are_no_states_are_not_guessed(tmp_path: Path, home: Path) -> None:
    with pytest.raises(SwirlError, match="no column of pictures or texts"):
        import_collection(home, table(tmp_path / "t.parquet", {"task": ["a", "b"], "frame_index": [0, 1]}))


def test_shards_that_lack_a_column_or_are_missing(tmp_path: Path, home: Path) -> None:
    good = {"state": ["a", "b"], "episode": ["p", "p"], "step": [0, 1]}
    table(tmp_path / "set" / "train-00000-of-00003.parquet", good)
    table(tmp_path / "set" / "train-00001-of-00003.parquet", {"state": ["c"], "step": [0]})
    write(tmp_path / "set" / "more.jsonl", b"{}")
    report = import_collection(home, tmp_path / "set")
    assert list(texts(home, "set").values()) == [["a", "b"]]
    assert "lacks the column episode" in notes(report) and "has 2 of its 3 files" in notes(report)
    assert "more.jsonl is beside the tables, and not read" in notes(report)


def test_many_episodes_in_a_small_dictionary(tmp_path: Path, home: Path) -> None:
    names = [f"e{n // 2:03d}" for n in range(256)]
    columns = {"state": [f"{n}" for n in range(256)], "step": [0, 1] * 128}
    episodes = pa.array(names).dictionary_encode().cast(pa.dictionary(pa.int8(), pa.string()))
    import_collection(home, table(tmp_path / "s.parquet", {**columns, "episode": episodes}))
    assert len(texts(home, "s")) == 128


def test_a_first_picture_that_is_missing(tmp_path: Path, home: Path) -> None:
    cells = [None, *images(0, 8, 16)]
    import_collection(home, table(tmp_path / "p.parquet", {"image": cells, "step": range(4)}))
    assert shapes(home, "p") == {"p#2": 3}


# actions in words


@pytest.mark.parametrize(
    ("actions", "said"),
    [
        ([[0.0, 0.0, 1.0], [0.0, 0.5, 1.0]], ["(0, 0, 1)", "(0, 0.5, 1)"]),
        ([[0, 1], [1, 0]], ["action 1", "action 0"]),
        ([[0, 1], [1, 1]], ["(0, 1)", "(1, 1)"]),
        ([[1234, 567]], ["(1234, 567)"]),
        ([["up", "left"]], ["up, left"]),
        ([["up", None]], ['["up", null]']),
        ([[[1], [1, 2]]], ["[[1], [1, 2]]"]),
        ([Decimal("1.5"), ""], ["1.5", "(empty)"]),
        ([{"b": 1, "a": [2]}], ['{"b": 1, "a": [2]}']),
        ([True, np.float32(0.25)], ["action True", "action 0.25"]),
    ],
)
def test_actions_of_every_kind_in_words(actions: list[Any], said: list[str]) -> None:
    assert describe_actions(actions) == said


def test_names_of_actions_and_of_their_parts() -> None:
    assert describe_action(1, ["left", "right"]) == "right"
    assert describe_action(np.array([0.5, -1.0]), ["x", "y"]) == "x 0.5, y -1"


# LeRobot


def retimed(folder: Path, lengths: list[int], begins: list[float | None]) -> Path:
    file = folder / "meta/episodes/chunk-000/file-000.parquet"
    rows = pq.read_table(file).to_pydict()
    rows["length"] = lengths
    rows["videos/observation.images.top/from_timestamp"] = begins
    pq.write_table(pa.table(rows), file)
    return folder


def numbers(home: Path, name: str) -> dict[str, list[int]]:
    return {item.id: [decode(shown(state)) for state in item.states] for item in load_sequences(home, name)}


def test_a_film_with_fewer_frames_than_the_lengths_say(tmp_path: Path, home: Path) -> None:
    folder = retimed(shared_files(tmp_path / "arm", [5, 10, 5]), [10, 10, 5], [0.0, 5 / 30, 15 / 30])
    report = import_collection(home, folder)
    assert numbers(home, "arm") == {
        "episode-0": [0, 1, 2, 3, 4], "episode-1": list(range(5, 15)), "episode-2": list(range(15, 20))
    }  # fmt: skip
    assert "episode 0 ends after 5 of its 10 frames" in notes(report)


def test_two_frames_less_are_seen_by_the_number_of_frames(tmp_path: Path, home: Path) -> None:
    folder = retimed(shared_files(tmp_path / "arm", [8, 10]), [10, 10], [0.0, 8 / 30])
    import_collection(home, folder)
    assert numbers(home, "arm") == {"episode-0": list(range(8)), "episode-1": list(range(8, 18))}


@pytest.mark.parametrize("begin", [None, float("nan"), float("inf")])
def test_a_timestamp_that_is_missing_is_not_needed(tmp_path: Path, home: Path, begin: float | None) -> None:
    import_collection(home, retimed(shared_files(tmp_path / "arm", [4, 4]), [4, 4], [0.0, begin]))
    assert numbers(home, "arm") == {"episode-0": [0, 1, 2, 3], "episode-1": [4, 5, 6, 7]}


def test_missing_and_repeated_rows_of_a_table_of_pictures(tmp_path: Path, home: Path) -> None:
    from PIL import Image

    from swirl.sources.formats.still_images import encode_frame

    folder = shared_files(tmp_path / "arm", [6])
    about = json.loads((folder / "meta/info.json").read_text())
    about["features"]["observation.images.top"]["dtype"] = "image"
    (folder / "meta/info.json").write_text(json.dumps(about))
    shown_numbers = [0, 1, 1, 2, 4, 5]
    cells = [
        {"bytes": encode_frame(Image.fromarray(coded(n)), (96, 64), ".png").data, "path": None} for n in shown_numbers
    ]
    columns = {
        "episode_index": [0] * 6,
        "frame_index": shown_numbers,
        "action": [[float(n), 0.0] for n in shown_numbers],
    }
    pq.write_table(pa.table({**columns, "observation.images.top": cells}), folder / "data/chunk-000/file-000.parquet")
    report = import_collection(home, folder)
    assert numbers(home, "arm") == {"episode-0": [0, 1, 2], "episode-0#5": [4, 5]}
    assert load_true_actions(home, "arm") == {} and "frame 4 is missing in data/chunk-000" in notes(report)


def test_a_zip_of_a_dataset_is_no_film(tmp_path: Path, home: Path) -> None:
    folder = shared_files(tmp_path / "arm", [4, 4])
    with zipfile.ZipFile(tmp_path / "arm.zip", "w") as archive:
        for file in folder.rglob("*"):
            archive.write(file, file.relative_to(tmp_path))
    with pytest.raises(SwirlError, match="holds a LeRobot dataset; unpack it"):
        import_collection(home, tmp_path / "arm.zip")


def test_a_preview_of_every_third_frame(tmp_path: Path) -> None:
    folder = shared_files(tmp_path / "arm", [6, 7, 1])
    preview = preview_import(folder, ImportOptions(every=3))
    assert preview.lengths == (2, 3) and len(preview.samples) == 3 and preview.cameras == ("top",)


def test_every_second_state_of_tables(tmp_path: Path, home: Path) -> None:
    columns = {"episode": ["e"] * 5 + ["f"] * 2, "step": [*range(5), 0, 1], "action": list("1234512")}
    path = table(tmp_path / "t.parquet", {**columns, "state": list("abcdexy")})
    every = ImportOptions(every=2)
    report = import_collection(home, path, options=every)
    assert texts(home, "t") == {"e": ["a", "c", "e"]} and load_true_actions(home, "t") == {}
    assert "has 1 state; a sequence needs two" in notes(report) and preview_import(path, every).lengths == (3,)
    pictures = table(tmp_path / "p.parquet", {**columns, "image": images(*range(0, 56, 8))})
    import_collection(home, pictures, options=every)
    assert shapes(home, "p") == {"e": 3} and preview_import(pictures, every).lengths == (3,)
    lists = table(tmp_path / "l.parquet", {"id": ["p"], "states": [["a", "b", "c", "d", None, "e", "f", "g", "h"]]})
    import_collection(home, lists, options=every)
    assert texts(home, "l") == {"p": ["a", "c"], "p#7": ["f", "h"]}
    members = {f"w_{n}.txt": state.encode() for n, state in enumerate("abcde")}
    members["own.json"] = json.dumps({"states": list("vwxyz")}).encode()
    import_collection(home, tar(tmp_path / "w.tar", members), options=every)
    assert texts(home, "w") == {"w": ["a", "c", "e"], "own": ["v", "x", "z"]}
    with pytest.raises(SwirlError, match="do not say how many frames they have a second"):
        import_collection(home, path, options=ImportOptions(seconds=0.5))


@pytest.mark.parametrize(
    ("name", "content", "title"),
    [
        ("t.jsonl", '{"id": "a", "states": ["x", "y", "z"]}', "texts, a sequence a line of JSON"),
        ("t.csv", "sequence_id,step,state\na,0,x\na,1,y\na,2,z\n", "texts in a table"),
        ("t.txt", "x\n\ny\n\nz\n", "a plain text"),
    ],
)
def test_every_state_of_a_text_is_taken(tmp_path: Path, home: Path, name: str, content: str, title: str) -> None:
    path = write(tmp_path / name, content.encode())
    for options in (ImportOptions(every=2), ImportOptions(seconds=0.5)):
        said = f"is read as {title}, of which every state is taken; leave --every out"
        with pytest.raises(UsageError, match=said):
            preview_import(path, options)
        with pytest.raises(UsageError, match=said):
            import_collection(home, path, options=options)
    import_collection(home, path, options=ImportOptions(every=1))
    assert list(texts(home, "t").values()) == [["x", "y", "z"]]


def test_a_preview_says_each_thing_once_and_stores_nothing(tmp_path: Path, home: Path) -> None:
    folder = shared_files(tmp_path / "arm", [6, 7, 8], ("top", "side"))
    preview = preview_import(folder)
    assert [str(note) for note in preview.notes] == [
        "arm has the cameras side, top; side was taken, --camera takes another."
    ]
    assert (preview.format, preview.sequences, preview.is_complete, preview.has_actions) == ("lerobot", 3, True, True)
    assert not home.exists()


# arrays


@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        ({"done": [0, 0, 1, 0, 0, 0]}, [3, 3]),
        ({"terminated": [0, 1, 0, 0, 0, 0], "truncated": [0, 0, 0, 1, 0, 0]}, [2, 2, 2]),
        ({"dones": [0, 0, 1, 0, 0]}, [3, 3]),
        ({"episode_index": [4, 4, 4, 4, 9, 9]}, [4, 2]),
        ({"episode_ends": [2, 6]}, [2, 4]),
        ({"is_first": [0, 0, 0, 0, 0, 0], "is_last": [0, 0, 1, 0, 0, 1]}, [3, 3]),
    ],
)
def test_ends_of_episodes_by_any_name(tmp_path: Path, home: Path, marks: dict[str, Any], expected: list[int]) -> None:
    np.savez(tmp_path / "r.npz", image=pictures(6), **{name: np.array(values) for name, values in marks.items()})
    import_collection(home, tmp_path / "r.npz")
    assert list(shapes(home, "r").values()) == expected


def test_marks_that_do_not_fit_are_refused(tmp_path: Path, home: Path) -> None:
    np.savez(tmp_path / "r.npz", image=pictures(6), is_first=np.zeros(4))
    with pytest.raises(SwirlError, match="has 4 values of is_first for 6 frames"):
        import_collection(home, tmp_path / "r.npz")


def test_padded_episodes_end_where_they_say(tmp_path: Path, home: Path) -> None:
    image = np.stack([pictures(5, 1), pictures(5, 2)])
    np.savez(tmp_path / "p.npz", image=image, length=np.array([3, 5]), action=np.arange(10).reshape(2, 5))
    import_collection(home, tmp_path / "p.npz")
    assert shapes(home, "p") == {"p-0": 3, "p-1": 5}
    assert load_true_actions(home, "p")["p-1"] == [f"action {n}" for n in (5, 6, 7, 8)]


def test_what_is_seen_one_step_later_is_no_camera(tmp_path: Path, home: Path) -> None:
    with h5py.File(tmp_path / "d.hdf5", "w") as file:
        file["next_observations"], file["observations"] = pictures(4, 1), pictures(4, 2)
        file["action"] = np.zeros((4, 10, 8))
    import_collection(home, tmp_path / "d.hdf5")
    assert np.array_equal(shown(load_sequences(home, "d")[0].states[0]), pictures(4, 2)[0])


def test_groups_by_other_names_and_arrays_in_fortrans_order(tmp_path: Path, home: Path) -> None:
    with h5py.File(tmp_path / "t.hdf5", "w") as file:
        for number in range(3):
            file[f"traj-{number}/obs/rgb"] = pictures(3, number)
    import_collection(home, tmp_path / "t.hdf5")
    assert shapes(home, "t") == {f"traj-{number}": 3 for number in range(3)}
    np.savez(tmp_path / "f.npz", image=np.asfortranarray(pictures(3).astype(np.float32)))
    import_collection(home, tmp_path / "f.npz")
    assert shapes(home, "f") == {"f": 3}


# WebDataset, folders of pictures


def test_samples_in_no_order_make_no_steps(tmp_path: Path, home: Path) -> None:
    order = [(0, 3), (0, 17), (1, 0), (0, 4), (1, 1), (1, 2)]
    members = {}
    for number, (episode, frame) in enumerate(order):
        members[f"{number}.txt"] = f"{episode} {frame}".encode()
        members[f"{number}.json"] = json.dumps({"episode_index": episode, "frame_index": frame}).encode()
    import_collection(home, tar(tmp_path / "s.tar", members))
    assert texts(home, "s") == {"1": ["1 1", "1 2"]}


def test_numbers_that_begin_anew_in_the_next_archive(tmp_path: Path, home: Path) -> None:
    for shard in range(2):
        tar(tmp_path / "set" / f"{shard}.tar", {f"frame_{n:04d}.txt": f"{shard} {n}".encode() for n in range(3)})
    import_collection(home, tmp_path / "set")
    assert sorted(texts(home, "set").values()) == [["0 0", "0 1", "0 2"], ["1 0", "1 1", "1 2"]]


def test_cameras_with_numbers_are_cameras_and_missing_numbers_gaps(tmp_path: Path, home: Path) -> None:
    members = {f"a_{n}.cam{camera}.png": picture(at=8 * n) for n in range(3) for camera in range(2)}
    import_collection(home, tar(tmp_path / "c.tar", members))
    assert shapes(home, "c") == {"a": 3}
    import_collection(home, tar(tmp_path / "g.tar", {f"a.{n:03d}.png": picture(at=8 * n) for n in (0, 1, 5, 6)}))
    assert shapes(home, "g") == {"a": 2, "a#5": 2}


def test_stray_members_of_an_archive_are_named(tmp_path: Path, home: Path) -> None:
    members = {"README.txt": b"about", **{f"a/{n}.txt": f"{n}".encode() for n in range(3)}, "stray.txt": b"?"}
    members |= {"inner.zip": b"PK\x03\x04", "lost.png": picture()}
    report = import_collection(home, tar(tmp_path / "s.tar", members))
    assert texts(home, "s") == {"a": ["0", "1", "2"]}
    assert "stray does not say which sequence it belongs to" in notes(report) and "README" not in notes(report)
    assert "inner has neither pictures" in notes(report) and "lost does not say" in notes(report)


def test_metadata_tables_in_subfolders_with_other_delimiters(tmp_path: Path, home: Path) -> None:
    for part in ("train", "test"):
        lines = ["file_name;episode;step;action", *(f"{n}.png;{n // 2};{n % 2};{n}" for n in range(4))]
        for n in range(4):
            write(tmp_path / "set" / part / f"{n}.png", picture(at=8 * n))
        write(tmp_path / "set" / part / "metadata.csv", "\n".join(lines).encode())
    import_collection(home, tmp_path / "set")
    assert shapes(home, "set") == {"test/0": 2, "test/1": 2, "train/0": 2, "train/1": 2}
    assert load_true_actions(home, "set")["train/1"] == ["2"]


def test_a_folder_of_several_numbered_sequences(tmp_path: Path, home: Path) -> None:
    for name in ("ep1", "ep2"):
        for n in (1, 2, 3, 4, 9):
            write(tmp_path / "set" / f"{name}_{n:03d}.png", picture(at=4 * n))
    report = import_collection(home, tmp_path / "set")
    assert shapes(home, "set") == {"ep1": 5, "ep2": 5}
    assert "jumps from ep1_004 to ep1_009" in notes(report)
    import_collection(home, frames(tmp_path / "plain", 4))
    assert shapes(home, "plain") == {"plain": 4}


def numbered(folder: Path, *names: str) -> Path:
    """A folder of different pictures with these names."""
    for n, name in enumerate(names):
        write(folder / f"{name}.png", picture(at=4 * n))
    return folder


@pytest.mark.parametrize("stray", ["cover", "c_0"])
def test_a_picture_that_fits_no_numbered_sequence_is_named(tmp_path: Path, home: Path, stray: str) -> None:
    names = [f"{group}_{n}" for group in "ab" for n in range(4)]
    folder = numbered(tmp_path / "set", *names, stray)
    report = import_collection(home, folder)
    assert shapes(home, "set") == {"a": 4, "b": 4}
    assert "set was divided into 2 sequences by what stands before the numbers in its names: a, b." in notes(report)
    assert f"{stray}.png fits no group of numbered pictures and was left out" in notes(report)
    assert preview_import(folder).notes == report.skipped


def test_pictures_that_are_mostly_not_numbered_stay_together(tmp_path: Path, home: Path) -> None:
    report = import_collection(home, numbered(tmp_path / "few", "cat", "dog", "mouse1", "mouse2"))
    assert shapes(home, "few") == {"few": 4} and report.skipped == ()
    report = import_collection(home, numbered(tmp_path / "mixed", "a1", "a2", "b1", "b2", *"vxyz"))
    assert shapes(home, "mixed") == {"mixed": 8}
    assert "has numbered pictures (a, b) among others and is one sequence all the same" in notes(report)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([f"130503110{second}.{part}" for second in range(3) for part in ("175300", "425300", "675300")], 1),
        (["1305031102.05", "1305031102.1753", "1305031102.21", "1305031103.1", "1305031103.35"], 1),
        (["0", "0.5", "1", "1.5"], 1),
        (["rgb_1305031102.17", "rgb_1305031102.5", "rgb_1305031103.2", "rgb_1305031103.4"], 1),
        (["Screenshot from 2026-01-05 10-15-32", "Screenshot from 2026-01-05 10-15-40"], 1),
        (["2026-01-30", "2026-01-31", "2026-02-01"], 1),
        (["20260105_101532", "20260105_101540", "20260106_090000"], 1),
        ([f"{episode}.{n:04d}" for episode in (1, 2) for n in range(3)], 2),
        (["1.8", "1.9", "1.10", "1.11"], 1),
        ([f"20260105_{n:06d}" for n in range(3)] + [f"20260106_{n:06d}" for n in range(3)], 2),
    ],
)
def test_times_and_fractions_are_one_number(tmp_path: Path, home: Path, names: list[str], expected: int) -> None:
    import_collection(home, numbered(tmp_path / "set", *names))
    states = [state for sequence in load_sequences(home, "set") for state in sequence.states]
    assert len(shapes(home, "set")) == expected and len(states) == len(names)
    order = [4 * n for n in range(len(names))]
    assert [int(shown(state)[20, :, 0].argmax()) for state in states] == order


def test_every_third_picture_of_a_folder(tmp_path: Path, home: Path) -> None:
    folder = frames(tmp_path / "walk", 7)
    frames(folder / "short", 3)
    options = ImportOptions(every=3)
    report = import_collection(home, folder, options=options)
    assert shapes(home, "walk") == {"walk": 3} and "short has one frame at a step of 3" in notes(report)
    sequence = load_sequences(home, "walk")[0]
    assert sequence.frame_step == 3 and int(shown(sequence.states[2])[20, :, 0].argmax()) == 4 * 7
    preview = preview_import(folder, options)
    assert (preview.sequences, preview.lengths) == (1, (3,))
    report = import_collection(home, folder, "all", options=ImportOptions(seconds=0.5))
    assert shapes(home, "all")["walk"] == 7 and "walk has pictures that tell no times" in notes(report)


def test_an_exported_folder_of_pictures_is_read_back(tmp_path: Path, home: Path) -> None:
    np.savez(tmp_path / "r.npz", image=pictures(4), action=np.arange(4))
    import_collection(home, tmp_path / "r.npz")
    file = tmp_path / "out" / "mine.jsonl"
    file.parent.mkdir()
    export_collection(home, "r", file, with_actions=True)
    report = import_collection(home, file.parent, "again")
    assert (shapes(home, "again"), report.skipped) == ({"r": 4}, ())
    assert load_true_actions(home, "again") == load_true_actions(home, "r")
    write(file.with_name("._mine.jsonl"), b"what a Mac keeps beside a file")
    assert import_collection(home, file.parent, "again").sequences == 1
    write(file.with_name("other.jsonl"), file.read_bytes())
    with pytest.raises(SwirlError, match=r"several files of sequences beside frames.zip \(mine.jsonl, other.jsonl\)"):
        import_collection(home, file.parent)


# texts and logs


def test_tables_with_commas_in_texts_old_line_ends_and_other_names(tmp_path: Path, home: Path) -> None:
    lines = ["sequence_id,step,state", "a,0,hello, world", "a,1,two", "a,2,three"]
    report = import_collection(home, write(tmp_path / "c.csv", "\n".join(lines).encode()))
    assert texts(home, "c") == {"a#1": ["two", "three"]} or texts(home, "c") == {"a": ["two", "three"]}
    assert "c.csv:2 has 4 fields for 3 columns; put quotes" in notes(report)
    with pytest.raises(SwirlError, match="line ends of old Macs"):
        import_collection(home, write(tmp_path / "mac.csv", "\r".join(lines[:1] + lines[2:]).encode()))
    other = write(tmp_path / "o.csv", b"who,n,what\na,0,one\na,1,two")
    options = ImportOptions(episode_column="who", order_column="n", state_column="what")
    import_collection(home, other, options=options)
    assert texts(home, "o") == {"a": ["one", "two"]}


@pytest.mark.parametrize("name", ["one.json", "one", "one.dat"])
def test_a_document_of_sequences_by_any_name(tmp_path: Path, home: Path, name: str) -> None:
    document = [{"id": "a", "states": ["x", "y"]}, {"id": "b", "states": ["z", "w"]}]
    import_collection(home, write(tmp_path / name, json.dumps(document, indent=2).encode()), "s")
    assert texts(home, "s") == {"a": ["x", "y"], "b": ["z", "w"]}


def test_what_is_no_text_is_not_read_as_one(tmp_path: Path, home: Path) -> None:
    with pytest.raises(SwirlError, match="unknown format"):
        import_collection(home, write(tmp_path / "paper", b"%PDF-1.7\n\none\n\ntwo\n"))
    rows = b"sequence_id,step,state\na,0,one\na,1,two"
    import_collection(home, write(tmp_path / "rows", rows))
    assert texts(home, "rows") == {"a": ["one", "two"]}


def test_actions_in_lines_of_texts(tmp_path: Path, home: Path) -> None:
    """As Play exports a path of texts."""
    records = [
        {"id": "a", "states": ["x", "y", "z"], "actions": ["go", "stop"]},
        {"id": "b", "states": ["x", "y", "z"], "actions": ["go"]},
        {"id": "c", "states": ["x", "y"], "actions": [7]},
        {"id": "d", "states": ["x", "y"], "actions": "go"},
        {"id": "e", "states": ["x", "y"], "actions": None},
    ]
    lines = write(tmp_path / "path.jsonl", "\n".join(map(json.dumps, records)).encode())
    report = import_collection(home, lines)
    assert list(texts(home, "path")) == ["a", "b", "c", "d", "e"]
    assert load_true_actions(home, "path") == {"a": ["go", "stop"]}
    why = "is read without its actions: it has"
    assert [str(item) for item in report.skipped] == [
        f"path.jsonl:2 {why} 1 actions for its 2 transitions; give one for each.",
        f"path.jsonl:3 {why} a number as action 1, which must be text; correct it.",
        f'path.jsonl:4 {why} text as "actions", which must be a list of texts; correct it.',
    ]
    import_collection(home, write(tmp_path / "list.json", json.dumps(records[:2]).encode()))
    assert load_true_actions(home, "list") == {"a": ["go", "stop"]}


def test_files_of_another_kind_in_a_folder_are_named(tmp_path: Path, home: Path) -> None:
    for name in ("a.txt", "b.log", "c.1", "README.md"):
        write(tmp_path / "notes" / name, b"x\n\ny")
    report = import_collection(home, tmp_path / "notes")
    assert "b.log and 1 more are beside the texts, and not read." in notes(report)
    (tmp_path / "arrays").mkdir()
    np.savez(tmp_path / "arrays" / "a.npz", image=pictures(4))
    write(tmp_path / "arrays" / "b.jsonl", b'{"id": "x", "states": ["a", "b"]}')
    report = import_collection(home, tmp_path / "arrays")
    assert [str(item) for item in report.skipped] == ["b.jsonl is beside the arrays, and not read."]
    call = {"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "{}"}}]}
    talk = [{"role": "user", "content": "q"}, call, {"role": "tool", "tool_call_id": "a", "content": "x"}]
    write(tmp_path / "logs" / "run.json", json.dumps({"messages": talk}).encode())
    write(tmp_path / "logs" / "part" / "notes.txt", b"x\n\ny")
    report = import_collection(home, tmp_path / "logs")
    assert [str(item) for item in report.skipped] == ["part/notes.txt is beside the logs, and not read."]


def test_words_of_the_user_beside_an_answer_come_after_it(tmp_path: Path, home: Path) -> None:
    use = {"type": "tool_use", "id": "t", "name": "look", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "t", "content": "a lamp"}
    messages = [
        {"role": "user", "content": "look"},
        {"role": "assistant", "content": [use]},
        {"role": "user", "content": [result, {"type": "text", "text": "again"}]},
        {"role": "assistant", "content": [{**use, "id": "u"}]},
        {"role": "user", "content": [{**result, "tool_use_id": "u", "content": "a door"}]},
    ]
    report = import_collection(home, write(tmp_path / "log.json", json.dumps(messages).encode()))
    assert list(texts(home, "log").values()) == [["look", "a lamp"], ["again", "a door"]] and report.skipped == ()


def test_logs_after_something_else(tmp_path: Path, home: Path) -> None:
    call = {"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "{}"}}]}
    talk = [{"role": "user", "content": "q"}, call, {"role": "tool", "tool_call_id": "a", "content": "x"}]
    lines = [json.dumps({"version": 1}), json.dumps({"messages": talk})]
    report = import_collection(home, write(tmp_path / "log.jsonl", "\n".join(lines).encode()))
    assert list(texts(home, "log").values()) == [["q", "x"]] and "line 1 holds no log" in notes(report)
    folder = tmp_path / "logs"
    write(folder / "a_config.json", b'{"model": "m"}')
    write(folder / "run.json", json.dumps({"messages": talk}).encode())
    import_collection(home, folder)
    assert list(texts(home, "logs").values()) == [["q", "x"]]
