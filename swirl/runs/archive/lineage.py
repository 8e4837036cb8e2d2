"""Which run began where: from another run's checkpoint, or with another run's settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from swirl.history import Run


@dataclass(frozen=True)
class ParentLink:
    """A run's beginning: its `parent`, and the checkpoint it started from; '' where it only took over settings."""

    run: str
    parent: str
    checkpoint: str


@dataclass(frozen=True)
class LineageNode:
    """A run in the tree of its relatives, with those that started from it."""

    run: str
    parent_link: ParentLink | None
    children: tuple[LineageNode, ...]


def find_parent_links(home: Path, runs: Iterable[Run]) -> dict[str, ParentLink]:
    """The beginning of each run that came from another one; a parent that was deleted is none."""
    runs = list(runs)
    ids = {run.id for run in runs}
    found = {}
    for run in runs:
        model = str(run.settings.get("model") or "")
        owner = owning_run_id(home, model)
        if owner in ids and owner != run.id:
            found[run.id] = ParentLink(run.id, owner, model)
        elif run.parent in ids:
            found[run.id] = ParentLink(run.id, run.parent, "")
    return found


def owning_run_id(home: Path, model: str) -> str:
    """The run whose checkpoint a model's name or folder would be."""
    folders = home / "runs"
    if Path(model).is_absolute() and Path(model).is_relative_to(folders):
        return (*Path(model).relative_to(folders).parts, "")[0]
    return model.partition("@")[0]


def build_lineage_tree(run_id: str, found: Mapping[str, ParentLink]) -> LineageNode:
    """The tree of a run's relatives: from the run that all of it began with, down to the latest."""
    first, seen = run_id, {run_id}
    while first in found and found[first].parent not in seen:
        first = found[first].parent
        seen.add(first)
    children: dict[str, list[str]] = {}
    for start in found.values():
        children.setdefault(start.parent, []).append(start.run)

    def branch(run: str, above: frozenset[str]) -> LineageNode:
        below = (child for child in sorted(children.get(run, ())) if child not in above)
        start = found.get(run) if run != first else None
        return LineageNode(run, start, tuple(branch(child, above | {child}) for child in below))

    return branch(first, frozenset({first}))
