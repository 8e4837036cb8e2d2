"""The registry of collections: where each lies and its counts, so that a list of them reads no sequences."""

from __future__ import annotations

from typing import Any

from swirl.history.store import Store


class CollectionRegistry(Store):
    """The table `collections`."""

    def register_collection(
        self,
        name: str,
        *,
        path: str,
        source: str,
        builtin: bool,
        fingerprint: str,
        sequences: int,
        transitions: int,
        has_actions: bool,
        created: str | None,
    ) -> None:
        """Record a collection, in place of one of that name. `fingerprint` tells whether the counts still hold."""
        row = {
            "name": name,
            "path": path,
            "source": source,
            "builtin": builtin,
            "fingerprint": fingerprint,
            "sequences": sequences,
            "transitions": transitions,
            "has_actions": has_actions,
            "created": created,
        }
        with self._writing() as db:
            db.table("collections").insert(row, replace=True)

    def collections(self) -> list[dict[str, Any]]:
        """The registered collections by name, each a dictionary of the columns of `register_collection`."""
        with self._reading() as db:
            rows = list(db.table("collections").rows_where(order_by="name"))
        return [{**row, "builtin": bool(row["builtin"]), "has_actions": bool(row["has_actions"])} for row in rows]

    def remove_collection(self, name: str) -> None:
        """Forget a collection; its files are not touched, and an unknown name is none."""
        with self._writing() as db:
            db.execute("DELETE FROM collections WHERE name = ?", [name])
