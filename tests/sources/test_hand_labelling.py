"""Labelling by hand: the order of transitions, the stored labels, and the file made from them."""

from __future__ import annotations

import json
import zipfile
from io import BytesIO
from pathlib import Path

import pytest
from making import frames

from swirl.errors import SwirlError
from swirl.sources.collections.catalog import import_collection, load_sequences
from swirl.sources.collections.split import split_of
from swirl.sources.labels.hand_labelling import (
    load_hand_labels,
    load_labelling_progress,
    save_hand_label,
    training_transitions,
    undo_last_label,
    unlabelled_transitions,
)
from swirl.sources.labels.reading import read_labels
from swirl.sources.labels.writing import pack_labels, write_labels
from swirl.states import Transition

SEQUENCES = 30


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Thirty sequences of five states; the last step of each changes nothing, the first is equal in all of them."""
    lines = []
    for index in range(SEQUENCES):
        own = [f"room {index}, lamp {step}." for step in (1, 2, 2)]
        lines.append(json.dumps({"id": f"s{index}", "states": ["start.", "begun.", *own]}) + "\n")
    file = tmp_path / "lamps.jsonl"
    file.write_text("".join(lines), encoding="utf-8")
    import_collection(tmp_path / "home", file, "lamps")
    return tmp_path / "home"


def order(home: Path, data: str = "lamps") -> list[Transition]:
    return training_transitions(load_sequences(home, data))


def following(home: Path) -> Transition | None:
    transitions = order(home)
    return next(unlabelled_transitions(transitions, load_labelling_progress(home, "lamps", transitions)), None)


def test_only_training_transitions_are_shown_one_of_each_sequence_first(home: Path) -> None:
    transitions = order(home)
    learned = [f"s{index}" for index in range(SEQUENCES) if split_of(f"s{index}") == "train"]
    assert 0 < len(learned) < SEQUENCES
    assert len(transitions) == 4 * len(learned)
    assert sorted(t.sequence_id for t in transitions[: len(learned)]) == sorted(learned)
    assert transitions == order(home)
    assert len({t.step for t in transitions[: len(learned)]}) > 1


def test_duplicates_and_transitions_without_change_are_not_shown(home: Path) -> None:
    seen = []
    while (transition := following(home)) is not None:
        seen.append((transition.state.text, transition.next_state.text))
        save_hand_label(home, "lamps", transition, "light it" if len(seen) % 2 else None)
    assert len(seen) == len(set(seen))
    assert all(before != after for before, after in seen)
    assert sum(before == "start." for before, _ in seen) == 1
    assert len(seen) == 1 + 2 * len({t.sequence_id for t in order(home)})


def test_undo_returns_the_newest_label(home: Path) -> None:
    first = following(home)
    save_hand_label(home, "lamps", first, "  light   the lamp ")
    second = following(home)
    save_hand_label(home, "lamps", second, None)
    transitions = order(home)
    assert undo_last_label(home, "lamps", load_labelling_progress(home, "lamps", transitions))[1].action is None
    assert following(home) == second
    transition, label = undo_last_label(home, "lamps", load_labelling_progress(home, "lamps", transitions))
    assert (transition, label.action) == (first, "light the lamp")
    assert following(home) == first
    with pytest.raises(SwirlError, match="nothing to undo"):
        undo_last_label(home, "lamps", load_labelling_progress(home, "lamps", transitions))


@pytest.mark.parametrize("action", ["", "   ", "x" * 301, "\ud800"])
def test_an_action_must_be_a_short_phrase(home: Path, action: str) -> None:
    with pytest.raises(SwirlError):
        save_hand_label(home, "lamps", following(home), action)
    assert load_hand_labels(home, "lamps") == []


def test_labels_of_changed_transitions_are_ignored(home: Path, tmp_path: Path) -> None:
    kept = following(home)
    save_hand_label(home, "lamps", kept, "light it")
    save_hand_label(home, "lamps", following(home), "wait")
    file = home / "collections" / "lamps" / "sequences.jsonl"
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    for line in lines:
        if line["id"] == kept.sequence_id:
            line["states"] = [state.replace("lamp", "candle").replace("begun", "gone") for state in line["states"]]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    so_far = load_labelling_progress(home, "lamps", order(home))
    assert (len(so_far.labels), so_far.stale_count) == (1, 1)


def test_used_actions_are_sorted_by_frequency(home: Path) -> None:
    for action in ("wait", "light it", "wait", "look", None):
        save_hand_label(home, "lamps", following(home), action)
    so_far = load_labelling_progress(home, "lamps", order(home))
    assert so_far.used_actions() == ["wait", "look", "light it"]
    assert so_far.skipped_count == 1 and so_far.labelled_sequence_count == 4


def test_the_file_is_readable_and_unchanged_by_later_labels(home: Path) -> None:
    save_hand_label(home, "lamps", following(home), "light it")
    first = write_labels(home, "lamps", load_hand_labels(home, "lamps"))
    assert first.parent == home / "labels"
    content = first.read_bytes()
    save_hand_label(home, "lamps", following(home), "wait")
    second = write_labels(home, "lamps", load_hand_labels(home, "lamps"))
    assert second != first and first.read_bytes() == content
    assert read_labels(second) == (load_hand_labels(home, "lamps"), [])
    assert pack_labels("lamps", load_hand_labels(home, "lamps"))[1] == second.read_bytes()
    with pytest.raises(SwirlError, match="No transition is labelled"):
        write_labels(home, "lamps", [])


def test_pictures_are_written_beside_the_file_and_into_the_zip(tmp_path: Path) -> None:
    home = tmp_path / "home"
    import_collection(home, frames(tmp_path / "clip", 3), "clip")
    transitions = [t for sequence in load_sequences(home, "clip") for t in sequence.transitions()]
    for transition, action in zip(transitions, ("turn green", "turn blue"), strict=True):
        save_hand_label(home, "clip", transition, action)
    labels = load_labelling_progress(home, "clip", transitions).labels
    read, skipped = read_labels(write_labels(home, "clip", labels))
    assert [label.action for label in read] == ["turn green", "turn blue"] and skipped == []
    assert read[0].next_state == read[1].state, "equal frames are stored once"
    name, content = pack_labels("clip", labels)
    with zipfile.ZipFile(BytesIO(content)) as archive:
        assert name == "clip-labels.zip" and len(archive.namelist()) == 4
        archive.extractall(tmp_path / "elsewhere")
    assert len(read_labels(tmp_path / "elsewhere" / "clip-labels.jsonl")[0]) == 2
