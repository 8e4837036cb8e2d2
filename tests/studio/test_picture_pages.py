"""The pages over a collection of pictures, with a model that knows Blocks but not what a push does."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from conftest import TableModel
from picture_home import ACTIONS, add_boards, offer_both
from picture_model import PictureModel

from studio.components.shared import header
from studio.components.shared.model_for_states import fit_note, requested_checkpoint
from studio.components.train.start_form import initial_form
from studio.pages.compare import ComparePage
from studio.pages.explore import ExplorePage
from studio.pages.play import PlayPage
from studio.services.frame_similarity import measure_reconstruction
from studio.services.inference import choose_checkpoint, shared_models
from studio.services.uploads import Brought, Imports
from studio.view_models.start_form import check_references
from swirl import pictures
from swirl.errors import SwirlError
from swirl.settings import Settings
from swirl.sources.collections.catalog import import_collection, list_collections, load_sequences
from swirl.states import State

AT = {"data": "boards", "sequence": 1, "step": 1}


@pytest.fixture
def both(monkeypatch: pytest.MonkeyPatch) -> list[TableModel | PictureModel]:
    return offer_both(monkeypatch)


@pytest.fixture
def boards(home: Path, tmp_path: Path, both: list) -> Path:
    """The home with the texts `walks` and the pictures `boards`."""
    add_boards(home, tmp_path / "recorded")
    return home


def test_explore_shows_frames_actions_and_what_is_wrong(boards: Path) -> None:
    page = ExplorePage(boards)
    shelf = page.collections({"data": "boards"})["parts"]["collections"]
    assert 'class="kind cover"' in shelf and "1 sequence · images" in shelf
    shown = page.show(AT)
    assert shown["kind"] == "image" and shown["model"] == "seer" and shown["parts"]["fit"] == ""
    assert shown["parts"]["film"].count("<img") == 4 and "outline inverse" in shown["parts"]["happened"]
    page.infer({**AT, "steps": [0, 1, 2]})
    html = page.imagine(AT)["parts"]["imagined"]
    assert html.count("data-ab") == 2 and "1 of 16 cells off" in html and "13 of 16" in html and "PSNR" in html
    assert 'class="depth"' not in html
    right = page.imagine({**AT, "step": 2})["parts"]["imagined"]
    assert '<b class="good-text">exact</b>' in right


def test_the_check_of_pictures_asks_for_no_words(boards: Path) -> None:
    said = ExplorePage(boards).check(AT)["parts"]["health"]
    assert said.count('class="finding"') == 4 and "stitch test" in said and "new word pairs" not in said


def test_a_model_out_of_its_depth_says_so_beside_its_own_copy(boards: Path) -> None:
    grey = State(picture=pictures.from_pixels(255 - pictures.pixels(first(boards).picture)))
    known = measure_reconstruction(shared_models(boards), "seer", grey)
    assert known is not None and known.psnr < 20 and "never seen pictures like these" in known.warning
    home = measure_reconstruction(shared_models(boards), "seer", first(boards))
    assert home is not None and home.warning == ""
    assert measure_reconstruction(shared_models(boards), "reader", State("a hall")) is None


def first(home: Path) -> State:
    return load_sequences(home, "boards")[0].states[0]


def test_play_walks_and_branches_over_frames(boards: Path) -> None:
    page = PlayPage(boards)
    begun = page.begin(AT)
    state = begun["state"]
    assert state == pictures.state_key(first(boards))
    suggested = page.suggest({"state": state})["parts"]
    assert "<kbd>1</kbd>" in suggested["suggestions"] and suggested["depth"] == suggested["fit"] == ""
    answer = page.imagine({"state": state, "action": ACTIONS[1], "n": 4, "seed": 0})
    assert [(f["score"], f["times"]) for f in answer["futures"]] == [(-0.05, 3), (-2.3, 1)]
    assert answer["parts"]["futures"].count("<img") == 2 and "futures pictured" in answer["parts"]["futures"]
    nodes = [
        {"parent": None, "action": "", "state": state},
        {"parent": 0, "action": ACTIONS[1], "state": answer["futures"][0]["state"]},
    ]
    path = {"nodes": nodes, "at": 1}
    drawn = PlayPage(boards).draw({"path": path, "futures": answer["futures"], "action": "again"})
    assert drawn["kind"] == "image" and 'width="320"' in drawn["parts"]["stage"]
    assert drawn["parts"]["path"].count("<img") == 2 and "tree pictured" in drawn["parts"]["path"]
    saved = page.save({"path": path, "form": "gif", "name": "mine"})
    assert saved["name"] == "mine.gif"
    assert base64.b64decode(saved["address"].removeprefix("data:image/gif;base64,")).startswith(b"GIF8")
    texts = {"nodes": [{"parent": None, "action": "", "state": "a hall."}], "at": 0}
    with pytest.raises(SwirlError, match="JSONL"):
        page.save({"path": texts, "form": "gif"})


def test_a_played_path_can_be_imported_again(boards: Path, tmp_path: Path) -> None:
    page = PlayPage(boards)
    state = page.begin({"data": "boards", "sequence": "1", "step": "1"})["state"]
    after = page.imagine({"state": state, "action": ACTIONS[1], "n": 1, "seed": 0})["futures"][0]["state"]
    nodes = [{"parent": None, "action": "", "state": state}, {"parent": 0, "action": ACTIONS[1], "state": after}]
    saved = page.save({"path": {"nodes": nodes, "at": 1}, "form": "frames", "name": "p"})
    file = tmp_path / saved["name"]
    file.write_bytes(base64.b64decode(saved["address"].partition(",")[2]))
    done = import_collection(boards, file, "played")
    assert (done.sequences, done.transitions) == (1, 1)
    played = load_sequences(boards, "played")[0].states
    assert (pictures.pixels(played[1].picture) == pictures.pixels(page.frame_store.load_state(after).picture)).all()
    line = page.save({"path": {"nodes": nodes, "at": 1}, "form": "jsonl", "name": "p"})["address"]
    told = json.loads(base64.b64decode(line.partition(",")[2]))
    assert told["actions"] == [ACTIONS[1]] and told["states"][1].startswith("data:image/png;base64,")
    (tmp_path / "line.jsonl").write_text(json.dumps(told))
    import_collection(boards, tmp_path / "line.jsonl")
    again = load_sequences(boards, "line")[0].states
    assert (pictures.pixels(again[1].picture) == pictures.pixels(played[1].picture)).all()
    address = page.save({"path": {"nodes": nodes, "at": 1}, "form": "parquet", "name": "p"})["address"]
    rows = pq.read_table(io.BytesIO(base64.b64decode(address.partition(",")[2]))).to_pylist()
    assert [row["action"] for row in rows] == [ACTIONS[1], None]
    assert rows[1]["image"]["bytes"] == pictures.read_picture_bytes(page.frame_store.load_state(after).picture)
    nodes.append({"parent": 1, "action": "look", "state": "a text"})
    with pytest.raises(SwirlError, match="texts and pictures"):
        page.save({"path": {"nodes": nodes, "at": 2}, "form": "parquet"})


def test_compare_shows_what_each_imagined(boards: Path) -> None:
    page = ComparePage(boards)
    sides = {"a": "seer", "b": "copy-baseline", "data": "boards"}
    page.ask({**sides, "side": "a", "first": 0, "size": 12})
    waiting = page.show(sides)
    assert waiting["parts"]["rows"].count("not asked yet") == 3 and not waiting["complete"]
    page.ask({**sides, "side": "b", "first": 0, "size": 12})
    answer = page.show(sides)
    rows = answer["parts"]["rows"]
    assert answer["kind"] == "image" and answer["complete"]
    own, copied = re.findall(r'<td data-label="A">(.*?)</td>', rows), re.findall(r'<td data-label="B">(.*?)</td>', rows)
    assert [cell.count("1 of 16 cells off") for cell in own].count(1) == 1 and "".join(own).count("≥60") == 2
    assert len(copied) == 3 and all("of 16 cells off" in cell and "✓" not in cell for cell in copied)
    choices = page.choices({"data": "boards"})
    assert choices["chosen"] == {**sides, "c": "", "d": "", "count": "12"} and choices["kinds"]["boards"] == "image"
    assert "seer" in choices["checkpoints"]["image"] and "seer" not in choices["checkpoints"]["text"]


def test_models_are_offered_to_the_states_they_read(boards: Path) -> None:
    assert choose_checkpoint(boards, "reader", "image") == "seer" and choose_checkpoint(boards, "", "text") == "reader"
    assert shared_models(boards).choose("") == "reader" and shared_models(boards).choose("seer") == "seer"
    parts = header.status_parts(boards, "", "image")
    assert parts["checkpoint"].strip() == "seer" and "reader" not in parts["menu"]
    assert "pictures" in header.status_parts(boards, "")["menu"]


def test_another_model_answers_and_says_so(boards: Path) -> None:
    said = fit_note(boards, {"checkpoint": "reader"}, "image")
    assert "reader is for texts; these are pictures, so seer answers here." in said
    assert fit_note(boards, {"checkpoint": "seer"}, "image") == fit_note(boards, {}, "image") == ""
    remembered = {"checkpoint": "reader", "checkpoints": {"image": "seer", "text": ""}}
    assert requested_checkpoint(remembered, "image") == "seer" and requested_checkpoint(remembered, "text") == "reader"
    assert fit_note(boards, remembered, "image") == ""


def test_without_a_model_of_pictures_the_way_out_is_named(boards: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("studio.services.inference.ready_models", lambda: ["reader"])
    shown = ExplorePage(boards).show(AT)
    assert shown["model"] is None and "no model of pictures" in shown["parts"]["fit"]
    assert shown["parts"]["film"].count("<img") == 4
    with pytest.raises(SwirlError, match="Train page"):
        ExplorePage(boards).infer({**AT, "steps": [0]})


def test_training_pairs_models_and_sequences_of_one_kind(boards: Path) -> None:
    errors = check_references(boards, Settings(model="tiny-household", data="boards"))
    assert "tiny-household reads texts, but boards contains pictures" in errors["model"]
    assert check_references(boards, Settings(model="tiny-household", data="walks")) == {}
    assert initial_form(boards, {})["kinds"]["boards"] == "image"


def test_a_dropped_folder_keeps_its_shape(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    paths, names = [], []
    for clip in ("one", "two"):
        for index in range(3):
            file = tmp_path / "uploads" / f"{clip}{index}" / f"{index}.png"
            file.parent.mkdir(parents=True)
            shade = pictures.from_pixels(pixel_frame(90 * index, clip == "two"))
            file.write_bytes(pictures.read_picture_bytes(shade))
            paths.append(str(file))
            names.append(f"../trip/{clip}/{index}.png")
    done = Imports(home).run(Brought(paths, names), "t")
    assert (done.name, done.sequences, done.transitions) == ("trip", 2, 4)
    assert next(c.kind for c in list_collections(home) if c.name == "trip") == "image"


def pixel_frame(shade: int, flipped: bool):
    import numpy as np

    frame = np.full((48, 48, 3), 30, np.uint8)
    frame[8:24, 8:24] = (shade, 255 - shade, 128)
    return frame[::-1] if flipped else frame
