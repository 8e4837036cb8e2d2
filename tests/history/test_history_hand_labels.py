"""Hand-made labels in the history."""

from __future__ import annotations

from pathlib import Path

from swirl.history import History


def test_labels_are_stored_in_order_and_replaced(tmp_path: Path) -> None:
    history = History(tmp_path)
    history.save_hand_label("walks", "w0", 0, "a", "go")
    history.save_hand_label("walks", "w1", 3, "b", None)
    history.save_hand_label("others", "w0", 0, "c", "stay")
    history.save_hand_label("walks", "w0", 0, "a", "run")
    again = History(tmp_path)  # as another process reads them
    found = [(label.sequence, label.step, label.shows, label.action) for label in again.hand_labels("walks")]
    assert found == [("w1", 3, "b", None), ("w0", 0, "a", "run")]


def test_undo_removes_only_one_label(tmp_path: Path) -> None:
    history = History(tmp_path)
    for step in range(3):
        history.save_hand_label("walks", "w0", step, "a", f"go {step}")
    history.undo_hand_label("walks", "w0", 1)
    history.undo_hand_label("walks", "w0", 1)
    assert [label.action for label in history.hand_labels("walks")] == ["go 0", "go 2"]
