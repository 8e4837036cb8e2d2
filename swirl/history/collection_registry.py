"""The registry of collections: their folders and counts, so that listing them reads no sequences."""

from __future__ import annotations

from typing import Any

from swirl.history.store import Store, utc_timestamp

OF_PRESENT_CONTENTS = "created >= coalesce((SELECT since FROM collection_contents WHERE name = data), '')"
"""The condition on a row, made at `created`, that the collection `data` contains what it contained then."""


class CollectionRegistry(Store):
    """The tables `collections` and `collection_contents`."""

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

    def record_contents(self, name: str, digest: str) -> None:
        """Remember what the collection `name` contains: figures on other contents of that name are none of it.

        It is remembered beyond the collection's removal, as another may get its name.
        """
        with self._writing() as db:
            known = db.execute("SELECT digest FROM collection_contents WHERE name = ?", [name]).fetchone()
            if known is None:
                db.execute("INSERT INTO collection_contents (name, digest) VALUES (?, ?)", [name, digest])
            elif known[0] != digest:
                row = [digest, utc_timestamp(), name]
                db.execute("UPDATE collection_contents SET digest = ?, since = ? WHERE name = ?", row)

    def contents_since(self, name: str) -> str:
        """Since when the name of a collection stands for its present contents; empty if it always did."""
        with self._reading() as db:
            row = db.execute("SELECT since FROM collection_contents WHERE name = ?", [name]).fetchone()
        return (row[0] or "") if row else ""
