"""The items of a benchmark's splits: how many there are, which are drawn, and what is missing."""

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
    """An item with an id that belongs to a split."""

    @property
    def id(self) -> str: ...

    @property
    def split(self) -> str: ...


@dataclass(frozen=True, slots=True)
class BenchmarkStep:
    """One transition of a benchmark with its action.

    `group` names the file or episode whose steps resemble each other; intervals are over groups. `last_observation` is
    the copy baseline's prediction for a text whose state holds more than the last observation.
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
    """The items to be scored.

    `split_sizes` is the number of items that the benchmark's files name in each split; `notes` are sentences on what is
    missing.
    """

    items: list[Item]
    split_sizes: dict[str, int]
    notes: list[str] = field(default_factory=list)


def sample_items(items: Sequence[Item], limit: int | None, seed: int) -> list[Item]:
    """At most `limit` randomly drawn items of each split, in the order of the files; all without a `limit`."""
    if limit is None:
        return list(items)
    places: dict[str, list[int]] = {}
    for place, item in enumerate(items):
        places.setdefault(item.split, []).append(place)
    drawn: list[int] = []
    for split, split_places in sorted(places.items()):
        drawn += random.Random(f"{seed}/{split}").sample(split_places, min(limit, len(split_places)))
    return [items[place] for place in sorted(drawn)]


def splits_and_groups(steps: Sequence[BenchmarkStep]) -> tuple[list[str], list[str]]:
    """The split and the group of each step."""
    return [step.split for step in steps], [step.group for step in steps]


def iterate_with_progress(items: Sequence[Any], progress: ProgressCallback | None, what: str) -> Iterator[Any]:
    """Yield the items, and report the share that is done to `progress`."""
    for done, item in enumerate(items, start=1):
        yield item
        if progress is not None:
            progress(done / len(items), what)


def picture_problem(*to_check: Picture) -> str | None:
    """Why one of these pictures cannot be read, as a sentence; None if all can."""
    try:
        for picture in to_check:
            pictures.pixels(picture)
    except SwirlError as problem:
        return str(problem)
    return None
