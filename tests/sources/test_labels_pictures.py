"""Labels whose states are pictures: SWIRL's own lines, and the layouts of AURORA and Pico-Banana."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from making import head_of_png, picture, write

from swirl.errors import SwirlError
from swirl.sources.labels.reading import read_labels
from swirl.sources.validation import Skipped
from swirl.states import LabelledTransition, State


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with `a.png` to `d.png`, and `pictures/e.jpg`."""
    for number, name in enumerate("abcd"):
        write(tmp_path / "set" / f"{name}.png", picture(at=8 * number))
    write(tmp_path / "set" / "pictures" / "e.jpg", picture("JPEG"))
    return tmp_path / "set"


def labels(path: Path, *records: Any) -> tuple[list[LabelledTransition], list[Skipped]]:
    text = json.dumps(records) if path.suffix == ".json" else "\n".join(json.dumps(record) for record in records)
    return read_labels(write(path, text.encode()))


def as_paths(found: list[LabelledTransition], folder: Path) -> list[tuple[str, str, str]]:
    """Each transition as the two paths, relative to `folder`, with the action between them."""

    def path(state: State) -> str:
        assert state.picture and state.picture.file and not state.text
        return state.picture.file.relative_to(folder).as_posix()

    return [(path(label.state), label.action, path(label.next_state)) for label in found]


def test_states_may_be_paths_of_pictures(folder: Path) -> None:
    found, skipped = labels(
        folder / "labels.jsonl",
        {"state": "a.png", "action": "go", "next_state": "pictures/e.jpg"},
        {"state": "a.png", "action": "go", "next_state": "lost.png"},
        {"state": "lost.png", "action": "go", "next_state": "also.png"},
        {"state": "a.png", "action": "go", "next_state": "a dog"},
        {"state": str(folder / "b.png"), "action": "go", "next_state": "../set/c.png"},
    )
    assert as_paths(found[:1], folder) == [("a.png", "go", "pictures/e.jpg")]
    assert len(found) == 2
    assert [str(item) for item in skipped] == [
        "labels.jsonl:2 names the picture lost.png, which does not exist; add it or remove the line.",
        "labels.jsonl:3 names the picture lost.png, which does not exist; add it or remove the line.",
        "labels.jsonl:4 has a picture as one state and a text as the other; both must be of the same kind.",
    ]


def test_texts_that_end_like_pictures_stay_texts(folder: Path) -> None:
    texts = ("The folder holds x.png", "The folder holds x.png and y.png")
    long = "x" * 600 + ".png"
    found, skipped = labels(
        folder / "labels.jsonl",
        {"state": texts[0], "action": "copy", "next_state": texts[1]},
        {"state": "empty", "action": "copy", "next_state": long},
    )
    assert found[0] == LabelledTransition(State(texts[0]), "copy", State(texts[1]))
    assert found[1].next_state == State(long) and skipped == []


def test_pictures_that_cannot_be_used_are_named(folder: Path) -> None:
    write(folder / "huge.png", head_of_png(30_000, 30_000))
    write(folder / "text.png", b"no picture")
    found, skipped = labels(
        folder / "labels.jsonl",
        *({"state": "a.png", "action": "go", "next_state": name} for name in ("b.png", "huge.png", "text.png")),
    )
    assert as_paths(found, folder) == [("a.png", "go", "b.png")]
    assert "huge.png, which has far more pixels than the limit of 64 million" in skipped[0].why
    assert "text.png, which is not a readable image" in skipped[1].why


@pytest.mark.parametrize("name", ["train.json", "train.jsonl"])
def test_the_layout_of_aurora(folder: Path, name: str) -> None:
    found, skipped = labels(
        folder / name,
        {"instruction": "Move it. ", "input": "a.png", "output": "b.png"},
        {"instruction": "Move it.", "input": "a.png"},
        {"instruction": "Move it.", "input": "a.png", "output": "lost.png"},
        {"instruction": "", "input": "a.png", "output": "b.png"},
    )
    assert as_paths(found, folder) == [("a.png", "Move it.", "b.png")]
    reasons = ['has no "output"', "lost.png, which does not exist", 'has an empty text as "instruction"']
    assert len(skipped) == 3
    for item, why in zip(skipped, reasons, strict=True):
        assert item.where.startswith(name) and why in item.why


def test_paths_may_be_relative_to_a_parent_folder(folder: Path) -> None:
    record = {"instruction": "Move it.", "input": "set/a.png", "output": "set/pictures/e.jpg"}
    found, skipped = labels(folder / "pictures" / "train.json", record)
    assert (as_paths(found, folder), skipped) == ([("a.png", "Move it.", "pictures/e.jpg")], [])


def test_the_chat_layout(folder: Path) -> None:
    prompt = "<image>\nEditing the given image according to the following prompt: {}"

    def line(images: Any, *texts: str) -> dict[str, Any]:
        return {"images": images, "conversations": [{"from": "human", "value": text} for text in texts]}

    found, skipped = labels(
        folder / "train.jsonl",
        line(["a.png", "b.png"], prompt.format("turn it"), "<image>"),
        line(["a.png", "c.png"], "<image>\nmake it blue"),
        line(["a.png"], prompt.format("turn it")),
        line(["a.png", "b.png"]),
        line(["a.png", "b.png"], prompt.format(" ")),
        line(["a.png", "lost.png"], prompt.format("turn it")),
    )
    assert as_paths(found, folder) == [("a.png", "turn it", "b.png"), ("a.png", "make it blue", "c.png")]
    reasons = ["needs two pictures", "has null as the first", "has an empty text as the action", "lost.png"]
    for item, why in zip(skipped, reasons, strict=True):
        assert why in item.why


def test_single_turns_of_pico_banana(folder: Path) -> None:
    turn = {"text": "Make it blue.", "output_image": "b.png", "edit_type": "colour", "summarized_text": "blue"}
    web = "https://images.example.org/some/where/a.png?size=large"
    found, skipped = labels(
        folder / "sft.jsonl",
        {**turn, "open_image_input_url": web},
        {**turn, "open_image_input_url": web, "open_image_input_file": "pictures/e.jpg"},
        {**turn, "open_image_input_url": web, "text": ""},
        {**turn, "open_image_input_url": web.replace("a.png", "z.png")},
        turn,
    )
    assert as_paths(found, folder) == [
        ("a.png", "Make it blue.", "b.png"),
        ("pictures/e.jpg", "Make it blue.", "b.png"),
        ("a.png", "blue", "b.png"),
    ]
    assert "z.png?size=large, which does not exist; download it beside this file" in skipped[0].why
    assert 'has null as "open_image_input_file"' in skipped[1].why


def test_multi_turn_edits_of_pico_banana(folder: Path) -> None:
    files = [
        {"id": "edit_turn1", "url": "b.png"},
        {"id": "edit_turn2", "url": "c.png"},
        {"id": "final_image", "url": "d.png"},
        {"id": "original_input_image", "url": "https://images.example.org/a.png"},
    ]
    prompts = ["first", "second", "third"]
    found, skipped = labels(
        folder / "turns.jsonl",
        {"files": files, "metadata_edit_turn_prompts": prompts},
        {"files": files[:1] + files[2:], "metadata_edit_turn_prompts": prompts},
        {"files": files[2:], "metadata_edit_turn_prompts": ["only"]},
        {"files": "none", "metadata_edit_turn_prompts": prompts},
    )
    whole = [("a.png", "first", "b.png"), ("b.png", "second", "c.png"), ("c.png", "third", "d.png")]
    assert as_paths(found, folder) == [*whole, whole[0], ("a.png", "only", "d.png")]
    assert [item.where for item in skipped] == ["turns.jsonl:2", "turns.jsonl:2", "turns.jsonl:4"]
    assert "has null as the place of edit_turn2" in skipped[0].why


def test_labels_without_any_usable_picture_give_one_sentence(folder: Path) -> None:
    with pytest.raises(SwirlError, match=r"train\.json\[0\] names the picture x\.png, which does not exist.*1 more"):
        labels(folder / "train.json", *[{"instruction": "go", "input": "x.png", "output": "y.png"}] * 2)
