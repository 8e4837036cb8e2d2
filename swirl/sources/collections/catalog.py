"""Lists, loads and deletes collections by name, both built-in and imported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from swirl import paths
from swirl.errors import SwirlError
from swirl.history import History
from swirl.sources.atomic_folder import clear_leftovers, delete_folder
from swirl.sources.collections.collection_files import ACTIONS_FILE
from swirl.sources.collections.importing import ImportReport, home_write_error, import_collection
from swirl.sources.collections.stored_collection import (
    Collection,
    builtin_collections_folder,
    collection_kind,
    collection_names,
    contents_digest,
    count_stored,
    fingerprint,
    home_collections_folder,
    load_metadata,
    load_stored,
)
from swirl.states import StateSequence

__all__ = [
    "Collection",
    "ImportReport",
    "delete_collection",
    "get_collection",
    "import_collection",
    "list_collections",
    "load_sequences",
]


def list_collections(home: Path) -> list[Collection]:
    """The built-in collections, then the home's own, each sorted by name.

    The files on disk decide; the history caches their counts, so that only changed files are read.
    """
    home = paths.resolve_home(home)
    # An import that was killed may have set aside the collection that it replaces.
    clear_leftovers(home_collections_folder(home))
    history = History(home)
    rows = {row["name"]: row for row in history.collections()}
    own = [
        name
        for name in collection_names(home_collections_folder(home))
        if name not in collection_names(builtin_collections_folder())
    ]
    found = [
        collection_from_folder(history, builtin_collections_folder() / name, rows.get(name), True)
        for name in collection_names(builtin_collections_folder())
    ]
    found += [
        collection_from_folder(history, home_collections_folder(home) / name, rows.get(name), False) for name in own
    ]
    for name in rows.keys() - {collection.name for collection in found}:
        history.remove_collection(name)
    return found


def get_collection(home: Path, name: str) -> Collection:
    """The collection with that name. Raises SwirlError, which lists the names, if there is none."""
    collections = {collection.name: collection for collection in list_collections(home)}
    if name not in collections:
        raise SwirlError(f"There is no collection {name!r}; the collections are: {', '.join(collections) or 'none'}.")
    return collections[name]


def load_sequences(home: Path, name: str) -> list[StateSequence]:
    """The sequences of a collection, in order. Raises SwirlError if it is unknown or damaged."""
    return [found.sequence for found in load_stored(get_collection(home, name).path)]


def delete_collection(home: Path, name: str) -> None:
    """Delete one of the home's own collections. Raises SwirlError if it is unknown or built in."""
    home = paths.resolve_home(home)
    collection = get_collection(home, name)
    if collection.builtin:
        raise SwirlError(f"The collection {name!r} is built in and can't be deleted.")
    digest = contents_digest(collection.path)
    try:
        delete_folder(collection.path)
    except OSError as error:
        raise home_write_error(home, error) from error
    history = History(home)
    history.record_contents(name, digest)
    history.remove_collection(name)


def collection_from_folder(history: History, folder: Path, row: dict[str, Any] | None, builtin: bool) -> Collection:
    """The Collection in a folder. Recounts it and updates the history if `row`, the history's entry, is out of date."""
    metadata = load_metadata(folder)
    mark, has_actions = fingerprint(folder), (folder / ACTIONS_FILE).is_file()
    source = metadata.get("recorded_with" if builtin else "source") or ""
    if row is None or (row["path"], row["fingerprint"], row["has_actions"]) != (str(folder), mark, has_actions):
        sequences, transitions = count_stored(folder)
        row = {
            "path": str(folder),
            "source": source,
            "builtin": builtin,
            "fingerprint": mark,
            "sequences": sequences,
            "transitions": transitions,
            "has_actions": has_actions,
            "created": metadata.get("created"),
        }
        history.register_collection(folder.name, **row)
    return Collection(
        name=folder.name,
        title=metadata.get("title") or folder.name,
        description=metadata.get("description") or "",
        path=folder,
        builtin=builtin,
        sequences=row["sequences"],
        transitions=row["transitions"],
        has_actions=has_actions,
        source=source,
        created=metadata.get("created"),
        license=metadata.get("license"),
        world=metadata.get("world"),
        kind=collection_kind(folder),
    )
