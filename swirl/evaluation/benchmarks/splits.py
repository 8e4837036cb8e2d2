"""What a benchmark's files hold: items in splits, how many there are in all, and what is missing."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from swirl import pictures
from swirl.errors import SwirlError
from swirl.progress import ProgressCallback
from swirl.states import Picture, State


class SplitItem(Protocol):
    """Anything that belongs to a split and has a name."""

    @property
    def id(self) -> str: ...

    @property
    def split(self) -> str: ...


@dataclass(frozen=True, slots=True)
class BenchmarkStep:
    """One transition of a benchmark with its action; `group` names what resembles it (a file, an episode).

    `last` is what a copy of a text's last observation says, where the state holds more than that.
    """

    id: str
    split: str
    state: State
    action: str
    next_state: State
    group: str
    last_observation: str | None = None


Item = TypeVar("Item", bound=SplitItem)


@dataclass
class GatheredItems(Generic[Item]):
    """The items to be scored; `of` is how many the benchmark's files name in each split, `notes` what is missing."""

    items: list[Item]
    split_sizes: dict[str, int]
    notes: list[str] = field(default_factory=list)


def sample_items(items: Sequence[Item], limit: int | None, seed: int) -> list[Item]:
    """At most `limit` items of each split, drawn at random, in the order of the files."""
    if limit is None:
        return list(items)
    places: dict[str, list[int]] = {}
    for place, item in enumerate(items):
        places.setdefault(item.split, []).append(place)
    kept: list[int] = []
    for split, those in sorted(places.items()):
        kept += random.Random(f"{seed}/{split}").sample(those, min(limit, len(those)))
    return [items[place] for place in sorted(kept)]


def iterate_with_progress(items: Sequence[Any], progress: ProgressCallback | None, what: str) -> Iterator[Any]:
    """Yield the items and report how far the loop over them is."""
    for done, item in enumerate(items, start=1):
        yield item
        if progress is not None:
            progress(done / len(items), what)


def picture_problem(*shown: Picture) -> str | None:
    """Why one of these pictures cannot be shown; None if all can."""
    try:
        for picture in shown:
            pictures.pixels(picture)
    except SwirlError as problem:
        return str(problem)
    return None
