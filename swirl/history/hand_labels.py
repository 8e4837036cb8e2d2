"""Transitions that a person has labelled or skipped by hand, each kept at once."""

from __future__ import annotations

from swirl.history.records import HandLabel
from swirl.history.store import Store, utc_timestamp

COLUMNS = "sequence, step, shows, action, created"


class HandLabels(Store):
    """The table `hand_labels`: one row a transition of a collection, in the order in which they were given."""

    def save_hand_label(self, data: str, sequence: str, step: int, shows: str, action: str | None) -> None:
        """Keep what was said of a transition, in place of what was said before; `action` is None where it was skipped.

        `shows` is a digest of both states: it tells whether the transition is still the one that was labelled.
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
        """What was said of a collection's transitions, the oldest first, skipped ones among them."""
        with self._reading() as db:
            rows = db.execute(f"SELECT {COLUMNS} FROM hand_labels WHERE data = ? ORDER BY id", [data])
            return [HandLabel(*row) for row in rows]

    def undo_hand_label(self, data: str, sequence: str, step: int) -> None:
        """Forget what was said of a transition; nothing happens where nothing was."""
        with self._writing() as db:
            db.execute("DELETE FROM hand_labels WHERE data = ? AND sequence = ? AND step = ?", [data, sequence, step])
