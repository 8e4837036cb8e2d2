"""The registry of collections: their folders and counts, so that listing them reads no sequences."""

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
        """Record a collection, replacing one of that name. `fingerprint` shows whether the counts are still valid."""
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
        """The registered collections sorted by name, each a dictionary with the arguments of `register_collection`."""
        with self._reading() as db:
            rows = list(db.table("collections").rows_where(order_by="name"))
        return [{**row, "builtin": bool(row["builtin"]), "has_actions": bool(row["has_actions"])} for row in rows]

    def remove_collection(self, name: str) -> None:
        """Remove a collection from the registry, not its files; an unknown name has no effect."""
        with self._writing() as db:
            db.execute("DELETE FROM collections WHERE name = ?", [name])
