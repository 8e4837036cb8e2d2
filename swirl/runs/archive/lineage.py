"""The lineage of runs: which run started from another run's checkpoint or settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from swirl.history import Run


@dataclass(frozen=True)
class ParentLink:
    """The link of a run to its `parent`; `checkpoint` is what it started from, or '' if it only copied settings."""

    run: str
    parent: str
    checkpoint: str


@dataclass(frozen=True)
class LineageNode:
    """A run in a lineage tree, with the runs that started from it."""

    run: str
    parent_link: ParentLink | None
    children: tuple[LineageNode, ...]


def find_parent_links(home: Path, runs: Iterable[Run]) -> dict[str, ParentLink]:
    """The link of each run that has a parent among `runs`."""
    runs = list(runs)
    ids = {run.id for run in runs}
    links = {}
    for run in runs:
        model = str(run.settings.get("model") or "")
        owner = owning_run_id(home, model)
        if owner in ids and owner != run.id:
            links[run.id] = ParentLink(run.id, owner, model)
        elif run.parent in ids:
            links[run.id] = ParentLink(run.id, run.parent, "")
    return links


def owning_run_id(home: Path, model: str) -> str:
    """The id of the run that a checkpoint's name or folder would belong to; the run need not exist."""
    folders = home / "runs"
    if Path(model).is_absolute() and Path(model).is_relative_to(folders):
        return (*Path(model).relative_to(folders).parts, "")[0]
    return model.partition("@")[0]


def build_lineage_tree(run_id: str, links: Mapping[str, ParentLink]) -> LineageNode:
    """The lineage tree that contains a run, from its earliest ancestor down to the newest descendants."""
    first, seen = run_id, {run_id}
    while first in links and links[first].parent not in seen:
        first = links[first].parent
        seen.add(first)
    children: dict[str, list[str]] = {}
    for link in links.values():
        children.setdefault(link.parent, []).append(link.run)

    def branch(run: str, above: frozenset[str]) -> LineageNode:
        below = (child for child in sorted(children.get(run, ())) if child not in above)
        link = links.get(run) if run != first else None
        return LineageNode(run, link, tuple(branch(child, above | {child}) for child in below))

    return branch(first, frozenset({first}))
