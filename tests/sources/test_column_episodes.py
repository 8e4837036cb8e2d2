"""Tables stored by column: which columns are taken, in what order, and what is said where it cannot be told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from making import picture, scene, shapes, shown, video, write

from swirl.errors import SwirlError
from swirl.evaluation.true_actions import load_true_actions
from swirl.sources.collections.catalog import ImportReport, import_collection, load_sequences
from swirl.sources.collections.previewing import preview_import
from swirl.sources.formats.import_options import ImportOptions

pytestmark = pytest.mark.usefixtures("nothing_shipped")


def table(path: Path, columns: dict[str, Any], **more: Any) -> Path:
    """A Parquet or Arrow file, by the suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made = pa.table(columns)
    if path.suffix == ".parquet":
        pq.write_table(made, path, **more)
    else:
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, made.schema) as writer:
            writer.write_table(made, max_chunksize=3)
    return path


def images(*places: int) -> list[dict[str, Any]]:
    return [{"bytes": picture(at=at), "path": f"{at}.png"} for at in places]


def notes(report: ImportReport) -> str:
    return " ".join(str(item) for item in report.skipped)


def texts(home: Path, name: str) -> dict[str, list[str]]:
    return {sequence.id: [state.text for state in sequence.states] for sequence in load_sequences(home, name)}


@pytest.mark.parametrize("suffix", [".parquet", ".arrow"])
def test_pictures_of_two_episodes_in_any_order(tmp_path: Path, home: Path, suffix: str) -> None:
    columns = {
        "image": images(0, 8, 40, 16, 48),
        "frame_index": [0, 1, 0, 2, 1],
        "episode_index": [3, 3, 7, 3, 7],
        "action": ["push", "pull", "wait", "stop", "stop"],
    }
    import_collection(home, table(tmp_path / f"walk{suffix}", columns))
    assert shapes(home, "walk") == {"3": 3, "7": 2}
    first, second = load_sequences(home, "walk")
    assert np.array_equal(shown(first.states[2]), scene(16)) and np.array_equal(shown(second.states[1]), scene(48))
    assert load_true_actions(home, "walk") == {"3": ["push", "pull"], "7": ["wait"]}


def test_texts_with_named_columns_and_gaps(tmp_path: Path, home: Path) -> None:
    columns = {
        "what": list("abcdefg"),
        "who": ["x"] * 5 + ["y"] * 2,
        "n": [10, 20, 40, 50, 50, 2, 1],
        "other": ["-"] * 7,
    }
    path = table(tmp_path / "log.parquet", columns)
    with pytest.raises(
        SwirlError, match=r"several columns of texts; its columns are what, who, n, other\. Name .*--state-"
    ):
        import_collection(home, path)
    with pytest.raises(SwirlError, match=r"follow each other; .* with --episode-column, or say --episode-column none"):
        import_collection(home, path, options=ImportOptions(state_column="what"))
    with pytest.raises(SwirlError, match=r"has no column 'when'; its columns are .* Correct --order-column"):
        import_collection(home, path, options=ImportOptions(state_column="what", order_column="when"))
    options = ImportOptions(state_column="what", episode_column="who", order_column="n")
    report = import_collection(home, path, options=options)
    assert texts(home, "log") == {"x": ["a", "b"], "x#40": ["c", "d"], "y": ["g", "f"]}
    assert "has 1 row repeats a place" in notes(report) and "has a gap, from 20 to 40" in notes(report)


def test_all_rows_as_one_sequence_and_restarting_places(tmp_path: Path, home: Path) -> None:
    one = table(tmp_path / "one.parquet", {"state": ["a", "b", "c"]})
    import_collection(home, one, options=ImportOptions(episode_column="none"))
    assert texts(home, "one") == {"one": ["a", "b", "c"]}
    import_collection(home, table(tmp_path / "two.parquet", {"state": list("abcde"), "step": [0, 1, 0, 1, 2]}))
    assert texts(home, "two") == {"two": ["a", "b"], "two-1": ["c", "d", "e"]}


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"position": [0.3, 0.1, 0.4, -0.2, 0.0], "episode": ["e"] * 5}, {"e": "abcde"}),
        ({"position": [36, 24, 25, 26, 27], "episode": ["e"] * 5}, {"e": "abcde"}),
        ({"position": [5, 6, 5, 4, 5], "id": ["e"] * 5}, {"e": "abcde"}),
        ({"position": [[0.3, 1.0]] * 5, "episode": ["e"] * 5}, {"e": "abcde"}),
        ({"turn": [0, 1, 0, 1, 0], "episode": ["e"] * 5}, {"e": "abcde"}),
        ({"turn": [0, 1, 0, 1, 0], "step": [4, 3, 2, 1, 0], "episode": ["e"] * 5}, {"e": "edcba"}),
        ({"turn": ["white", "black"] * 2 + ["white"], "time": [1, 2, 4, 3, 5], "episode": ["e"] * 5}, {"e": "abdce"}),
        ({"turn": [2, 0, 1, 1, 0], "episode": list("pppqq")}, {"p": "bca", "q": "ed"}),
        ({"order": [7, 8, 9, 3, 4], "episode": list("pppqq")}, {"p": "abc", "q": "de"}),
        ({"order": [1, 2, 3, 6, 7], "episode": ["e"] * 5}, {"e": "abc", "e#6": "de"}),
        ({"position": [0, 1, 2, 0, 1]}, {"t": "abc", "t-1": "de"}),
    ],
)
def test_columns_whose_names_data_have_too_are_places_if_they_count(
    tmp_path: Path, home: Path, columns: dict[str, Any], expected: dict[str, str]
) -> None:
    import_collection(home, table(tmp_path / "t.parquet", {"state": list("abcde"), **columns}))
    assert texts(home, "t") == {name: list(states) for name, states in expected.items()}


def test_without_a_column_of_places_the_order_of_the_file_is_named(tmp_path: Path, home: Path) -> None:
    columns = {"state": list("abc"), "position": [0.5, 0.25, 0.75], "episode": ["e"] * 3}
    path = table(tmp_path / "t.parquet", columns)
    assert "has no column of places in a sequence, so that rows are taken in the order" in notes(
        import_collection(home, path)
    )
    import_collection(home, path, options=ImportOptions(order_column="position"))
    assert texts(home, "t") == {"e": ["b", "a", "c"]}


def test_ids_that_come_again_tell_sequences(tmp_path: Path, home: Path) -> None:
    mixed = {"id": ["p", "q"] * 3, "step": [0, 0, 1, 1, 2, 2], "state": list("axbycz")}
    import_collection(home, table(tmp_path / "mixed.parquet", mixed))
    assert texts(home, "mixed") == {"p": ["a", "b", "c"], "q": ["x", "y", "z"]}
    own = {"id": list("uvwxyz"), "step": [0, 1, 2, 0, 1, 2], "state": list("abcxyz")}
    import_collection(home, table(tmp_path / "own.parquet", own))
    assert texts(home, "own") == {"own": ["a", "b", "c"], "own-1": ["x", "y", "z"]}
    same = {**own, "id": ["source"] * 6}
    import_collection(home, table(tmp_path / "same.parquet", same))
    assert texts(home, "same") == {"same": ["a", "b", "c"], "same-1": ["x", "y", "z"]}


def test_sequences_whose_rows_lie_between_each_other_are_not_guessed(tmp_path: Path, home: Path) -> None:
    said = (
        r"t\.parquet does not say which rows follow each other, as step begins anew again and again\. "
        "Name the column that tells sequences apart with --episode-column, or say --episode-column none"
    )
    path = tmp_path / "t.parquet"
    for steps in ([0, 0, 1, 1, 2, 2], [0, 0, 0, 1, 1, 1], [5, 4, 3, 2, 1, 0]):
        table(path, {"who": ["p", "q"] * 3, "step": steps, "state": list("axbycz")})
        with pytest.raises(SwirlError, match=said):
            import_collection(home, path)
        with pytest.raises(SwirlError, match=said):
            preview_import(path)
    table(path, {"who": ["p", "q"] * 3, "step": [0, 0, 1, 1, 2, 2], "state": list("axbycz")})
    import_collection(home, path, options=ImportOptions(episode_column="who"))
    assert texts(home, "t") == {"p": ["a", "b", "c"], "q": ["x", "y", "z"]}


def test_rows_of_one_sequence_lie_in_any_order(tmp_path: Path, home: Path) -> None:
    path = table(tmp_path / "t.parquet", {"step": [3, 1, 0, 2], "state": list("dbac")})
    import_collection(home, path, options=ImportOptions(episode_column="none"))
    assert texts(home, "t") == {"t": list("abcd")}


def test_times_are_no_gaps(tmp_path: Path, home: Path) -> None:
    import_collection(home, table(tmp_path / "t.parquet", {"state": list("abc"), "timestamp": [0.0, 5.0, 6.0]}))
    assert texts(home, "t") == {"t": ["a", "b", "c"]}
    import_collection(home, table(tmp_path / "same.parquet", {"state": list("abc"), "timestamp": [5, 5, 6]}))
    assert texts(home, "same") == {"same": ["a", "b", "c"]}


def test_rows_that_are_sequences(tmp_path: Path, home: Path) -> None:
    columns = {"id": ["p", "q"], "states": [["a", "b", "c"], ["d", "e"]], "actions": [["x", "y"], ["z"]]}
    import_collection(home, table(tmp_path / "rows.parquet", columns))
    assert texts(home, "rows") == {"p": ["a", "b", "c"], "q": ["d", "e"]}
    assert load_true_actions(home, "rows") == {"p": ["x", "y"], "q": ["z"]}
    import_collection(home, table(tmp_path / "clips.parquet", {"frames": [images(0, 8), images(0, 8, 16)]}))
    assert shapes(home, "clips") == {"clips-0": 2, "clips-1": 3}


def test_films_in_cells(tmp_path: Path, home: Path) -> None:
    film = video(tmp_path / "film.mp4", [scene(4 * i) for i in range(12)]).read_bytes()
    import_collection(
        home,
        table(tmp_path / "films.parquet", {"id": ["one"], "video": [{"bytes": film, "path": "film.mp4"}]}),
        options=ImportOptions(every=1, keep_duplicates=True),
    )
    assert shapes(home, "films") == {"one": 12}


def hub_dataset(folder: Path) -> Any:
    from datasets import ClassLabel, Dataset, Features, Image, Value

    features = Features(
        {
            "image": Image(),
            "episode": Value("int64"),
            "step": Value("int64"),
            "action": ClassLabel(names=["left", "right"]),
        }
    )
    rows = {
        "image": images(*range(0, 48, 8)),
        "episode": [0, 0, 0, 1, 1, 1],
        "step": [0, 1, 2] * 2,
        "action": [0, 1] * 3,
    }
    return Dataset.from_dict(rows, features=features)


@pytest.mark.parametrize(
    "keep",
    [
        lambda made, folder: made.to_parquet(str(folder / "data" / "train-00000-of-00001.parquet")),
        lambda made, folder: made.save_to_disk(str(folder), num_shards=2),
    ],
)
def test_a_dataset_written_by_its_own_library(tmp_path: Path, home: Path, keep: Callable[[Any, Path], Any]) -> None:
    (tmp_path / "hub" / "data").mkdir(parents=True)
    keep(hub_dataset(tmp_path), tmp_path / "hub")
    import_collection(home, tmp_path / "hub")
    assert shapes(home, "hub") == {"0": 3, "1": 3}
    assert np.array_equal(shown(load_sequences(home, "hub")[1].states[2]), scene(40))
    assert load_true_actions(home, "hub") == {"0": ["left", "right"], "1": ["right", "left"]}


def test_parts_of_a_dataset_do_not_run_into_each_other(tmp_path: Path, home: Path) -> None:
    for part in ("train", "test"):
        for shard in range(2):
            columns = {
                "state": [f"{part} {shard} {i}" for i in range(2)],
                "episode": [0, 0],
                "step": [2 * shard, 2 * shard + 1],
            }
            table(tmp_path / "set" / "data" / f"{part}-0000{shard}-of-00002.parquet", columns)
    import_collection(home, tmp_path / "set")
    assert {name: len(states) for name, states in texts(home, "set").items()} == {"test/0": 4, "train/0": 4}


def test_an_episode_goes_on_in_the_next_shard_whatever_hash_its_name_has(tmp_path: Path, home: Path) -> None:
    for shard, name in enumerate(("00000-of-00003-566cc9b19d7203f8", "00001-of-00003-a7d1c3e7a9b0c4f2")):
        steps = [4 * shard + n for n in range(4)]
        columns = {"state": [f"s{n}" for n in steps], "episode_index": [n // 5 for n in steps], "frame_index": steps}
        table(tmp_path / "set" / "data" / f"train-{name}.parquet", columns)
    report = import_collection(home, tmp_path / "set")
    assert texts(home, "set") == {"0": ["s0", "s1", "s2", "s3", "s4"], "1": ["s5", "s6", "s7"]}
    assert [str(item) for item in report.skipped] == ["data/train has 2 of its 3 files; copy the others, too."]


def test_the_good_rest_of_damaged_tables(tmp_path: Path, home: Path) -> None:
    good = {"state": ["a", "b"], "episode": ["p", "p"], "step": [0, 1]}
    table(tmp_path / "set" / "0.parquet", good)
    table(tmp_path / "set" / "1.parquet", {"words": ["a"], "episode": ["q"], "step": [0]})
    write(tmp_path / "set" / "2.parquet", b"PAR1 cut")
    table(tmp_path / "set" / "3.parquet", {"state": ["c", "d", None], "episode": ["r", "r", None], "step": [0, 1, 2]})
    report = import_collection(home, tmp_path / "set")
    assert [list(states) for states in texts(home, "set").values()] == [["a", "b"], ["c", "d"]]
    assert "1.parquet lacks the column state" in notes(report)
    assert "2.parquet is not a readable table" in notes(report)
    assert "3.parquet: row 3 has no usable value in episode" in notes(report)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"n": [1, 2]}, "has no column of pictures or texts; its columns are n"),
        ({"image": [{"bytes": b"no picture", "path": None}], "step": [0]}, "has no column of pictures or texts"),
        ({"state": pa.array([], pa.string()), "step": pa.array([], pa.int64())}, "contains no sequence"),
    ],
)
def test_tables_without_states(tmp_path: Path, home: Path, columns: dict[str, Any], said: str) -> None:
    with pytest.raises(SwirlError, match=said):
        import_collection(home, table(tmp_path / "empty.parquet", columns))


def test_a_damaged_picture_divides_its_episode(tmp_path: Path, home: Path) -> None:
    cells = images(0, 8, 16, 24, 32)
    cells[2]["bytes"] = cells[2]["bytes"][:40]
    columns = {"image": cells, "step": range(5), "action": [f"do {i}" for i in range(5)]}
    report = import_collection(home, table(tmp_path / "hole.parquet", columns))
    assert shapes(home, "hole") == {"hole": 2, "hole#4": 2}
    assert load_true_actions(home, "hole") == {"hole": ["do 0"], "hole#4": ["do 3"]}
    assert "frame 3 is not a readable image" in notes(report)


def test_cameras_are_named(tmp_path: Path, home: Path) -> None:
    columns = {"wrist": images(0, 8), "top": images(40, 48), "step": [0, 1]}
    path = table(tmp_path / "cams.parquet", columns)
    report = import_collection(home, path)
    assert "columns of pictures top, wrist; top was taken, --camera takes another" in notes(report)
    import_collection(home, path, options=ImportOptions(camera="wrist"))
    assert np.array_equal(shown(load_sequences(home, "cams")[0].states[1]), scene(8))
    with pytest.raises(SwirlError, match="has no camera 'left'; it has wrist, top"):
        import_collection(home, path, options=ImportOptions(camera="left"))


def test_pictures_outside_the_folder_are_not_opened(tmp_path: Path, home: Path) -> None:
    write(tmp_path / "secret.png", picture())
    cells = [{"bytes": None, "path": "../secret.png"}, {"bytes": None, "path": "../secret.png"}]
    with pytest.raises(SwirlError, match=r"names the picture '\.\./secret\.png' outside its folder"):
        import_collection(home, table(tmp_path / "in" / "out.parquet", {"image": cells, "step": [0, 1]}))
