"""Sequences of frames during import: a Clip yields two or more frames while they are read from their source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, groupby

from swirl.sources.formats.still_images import Frame
from swirl.sources.validation import Skipped

MAX_LISTED_PLACES = 4
"""How many places a report names before it only counts the rest."""


@dataclass(frozen=True)
class Clip:
    """A sequence during import: where it starts, its id, and its frames mixed with what was left out.

    Frames are read lazily, so they must be consumed before the next Clip is requested. `actions` are the true actions
    from the first frame on, if the format has them; `length` is the number of frames, if it is known before; `step` is
    how many frames of a recorded episode lie from one to the next.
    """

    where: str
    id: str
    frames: Iterator[Frame | Skipped]
    actions: Sequence[str] | None = None
    length: int | None = None
    step: int = 1


def peek_frames(frames: Iterable[Frame | Skipped]) -> tuple[Iterator[Frame | Skipped], int]:
    """Return the same frames and their number: 0, 1, or 2 for two or more. At most two frames are read ahead."""
    iterator = iter(frames)
    read_ahead: list[Frame | Skipped] = []
    count = 0
    for item in iterator:
        read_ahead.append(item)
        count += isinstance(item, Frame)
        if count == 2:
            break
    return chain(read_ahead, iterator), count


def describe_frames(name: str, numbers: Sequence[int], step: int = 1) -> str:
    """Describe some frames of a file for a report, such as `clip.mp4: frames 3-9, 20 and 2 more places`.

    Numbers that are at most `step` apart form one place.
    """
    runs = [[number for _, number in run] for _, run in groupby(enumerate(numbers), key=_Gaps(numbers, step))]
    places = [str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs]
    named = places if len(places) <= MAX_LISTED_PLACES + 1 else places[:MAX_LISTED_PLACES]
    rest = f" and {len(places) - MAX_LISTED_PLACES} more places" if len(places) > len(named) else ""
    return f"{name}: frame{'s' * (len(numbers) > 1)} {', '.join(named)}{rest}"


def summarize_names(names: Sequence[str]) -> str:
    """Describe some files for a report: the first one and how many more."""
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


class _Gaps:
    """A grouping key that changes after each gap wider than `step`."""

    def __init__(self, numbers: Sequence[int], step: int) -> None:
        self.numbers, self.step, self.gaps = numbers, step, 0

    def __call__(self, item: tuple[int, int]) -> int:
        index, number = item
        self.gaps += index > 0 and number - self.numbers[index - 1] > self.step
        return self.gaps
