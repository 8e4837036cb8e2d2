"""Transitions that a person has labelled or skipped by hand."""

from __future__ import annotations

from swirl.history.records import HandLabel
from swirl.history.store import Store, utc_timestamp

COLUMNS = "sequence, step, shows, action, created"


class HandLabels(Store):
    """The table `hand_labels`: one row per transition of a collection, in the order in which they were labelled."""

    def save_hand_label(self, data: str, sequence: str, step: int, shows: str, action: str | None) -> None:
        """Store the label of a transition, replacing an earlier one; `action` is None if it was skipped.

        `shows` is a digest of both states, which shows later whether the transition has changed.
        """
        row = {
            "data": data,
            "sequence": sequence,
            "step": step,
            "shows": shows,
            "action": action,
            "created": utc_timestamp(),
        }
        with self._writing() as db:
            db.execute("DELETE FROM hand_labels WHERE data = ? AND sequence = ? AND step = ?", [data, sequence, step])
            db.table("hand_labels").insert(row)

    def hand_labels(self, data: str) -> list[HandLabel]:
        """The labels and skips of a collection's transitions, oldest first."""
        with self._reading() as db:
            rows = db.execute(f"SELECT {COLUMNS} FROM hand_labels WHERE data = ? ORDER BY id", [data])
            return [HandLabel(*row) for row in rows]

    def undo_hand_label(self, data: str, sequence: str, step: int) -> None:
        """Remove the label or skip of a transition, if there is one."""
        with self._writing() as db:
            db.execute("DELETE FROM hand_labels WHERE data = ? AND sequence = ? AND step = ?", [data, sequence, step])
