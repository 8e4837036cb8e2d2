"""Recorded episodes: frames in the order of time, with the action that was taken in each but the last.

No step leads from one episode into another, or across a frame that cannot be read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import numpy as np

from swirl.errors import UsageError
from swirl.sources.formats.frame_clips import Clip, describe_frames, peek_frames
from swirl.sources.formats.still_images import Frame
from swirl.sources.reading import natural_sort_key
from swirl.sources.validation import LocatedSequence, Skipped, UnusableError, validate_sequence


@dataclass(frozen=True)
class Episode:
    """One episode of `length` frames, which starts at `where`.

    `read` takes a step and yields every step-th frame, or why it cannot be read. `actions` are in words, one for each
    frame but the last, or None.
    """

    id: str
    where: str
    length: int
    read: Callable[[int], Iterable[Frame | Skipped]]
    actions: Sequence[str] | None = None


def episode_clips(episode: Episode, step: int = 1) -> Iterator[Clip | Skipped]:
    """Yield an episode as a sequence, or as several where a frame in between cannot be read.

    With a step above 1 it has no true actions, since several lie between two of its frames.
    """
    if episode.length < 2:
        yield Skipped(episode.where, f"has {'one frame' if episode.length else 'no frame'}; a sequence needs two")
        return
    items = _Numbered(episode.read(step))
    alone: list[int] = []
    while (start := items.skip_unreadable()) is not None:
        yield from items.take_skipped()
        frames, found = peek_frames(items.run())
        if found == 2:
            identity = episode.id if start == 0 else f"{episode.id}#{start * step + 1}"
            where = episode.where if start == 0 else f"{episode.where}, frame {start * step + 1}"
            actions = None if episode.actions is None or step > 1 else episode.actions[start:]
            yield Clip(where, identity, frames, actions, -(-episode.length // step), step)
            if items.is_in_run:
                return  # whoever asked for the clip did not want all of it
        else:
            alone.append(start * step + 1)
    yield from items.take_skipped()
    count = items.count
    if alone:
        yield Skipped(describe_frames(episode.where, alone), "stand alone, as frames before and after cannot be read")
    if not items.good:
        if not count:
            yield Skipped(episode.where, "has none of its frames; copy the dataset again")
    elif count < -(-episode.length // step):
        yield Skipped(episode.where, f"ends after {count * step} of its {episode.length} frames; those are kept")


class _Numbered:
    """The items of an episode, taken in runs of frames between those that cannot be read."""

    def __init__(self, items: Iterable[Frame | Skipped]) -> None:
        self._items = iter(items)
        self._ahead: Frame | None = None
        self.is_in_run = False
        self._skipped: list[Skipped] = []
        self.count = self.good = 0

    def skip_unreadable(self) -> int | None:
        """Go on to the next frame. Returns its number, from 0, or None if there is none."""
        for item in self._items:
            self.count += 1
            if not isinstance(item, Skipped):
                self._ahead = item
                self.good += 1
                return self.count - 1
            self._skipped.append(item)
        return None

    def run(self) -> Iterator[Frame]:
        """Yield this frame and those after it, up to the next one that cannot be read."""
        assert self._ahead is not None
        self.is_in_run = True
        yield self._ahead
        for item in self._items:
            self.count += 1
            if isinstance(item, Skipped):
                self._skipped.append(item)
                break
            yield item
        self.is_in_run = False

    def take_skipped(self) -> list[Skipped]:
        """What could not be read since the last call."""
        skipped, self._skipped = self._skipped, []
        return skipped


def text_episodes(
    where: str, identity: str, texts: Sequence[object], actions: Sequence[str] | None, step: int = 1
) -> Iterator[LocatedSequence | Skipped]:
    """Yield every step-th text of an episode as a sequence, or as several where a text is missing.

    With a step above 1 it has no true actions, since several lie between two of its texts.
    """
    texts, actions = texts[::step], actions if step == 1 else None
    present = [text is not None and as_text(text) != "" for text in texts]
    if all(present):
        yield text_run(where, identity, texts, actions)
        return
    missing = [number for number, there in enumerate(present) if not there]
    yield Skipped(
        describe_frames(where, [number * step + 1 for number in missing]), "has no text; no step leads across it"
    )
    for before, after in pairwise([-1, *missing, len(texts)]):
        start = before + 1
        if after - start > 1:
            name = identity if start == 0 else f"{identity}#{start * step + 1}"
            yield text_run(where, name, texts[start:after], None if actions is None else actions[start:])


def text_run(
    where: str, identity: str, texts: Sequence[object], actions: Sequence[str] | None
) -> LocatedSequence | Skipped:
    """Consecutive texts as a sequence, or why they cannot be one."""
    try:
        sequence = validate_sequence(identity, [as_text(text) for text in texts])
    except UnusableError as problem:
        return Skipped(where, str(problem))
    fits = actions is not None and len(actions) >= len(sequence.states) - 1
    return LocatedSequence(where, sequence, tuple(actions[: len(sequence.states) - 1]) if fits and actions else None)


def as_text(value: object) -> object:
    """Bytes of UTF-8 as text; anything else as it is. Raises UnusableError for other bytes."""
    if not isinstance(value, bytes):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise UnusableError("has a state that is not valid UTF-8; save the texts as UTF-8") from None


def camera_labels(names: Iterable[str]) -> tuple[str, ...]:
    """The names of cameras as they are shown, in order: the last part of each, such as `top` of `obs/top`.

    Those whose last parts are equal are shown in full.
    """
    ordered = sorted(names, key=natural_sort_key)
    last = [name.replace(".", "/").rpartition("/")[2] for name in ordered]
    return tuple(label if last.count(label) == 1 else name for name, label in zip(ordered, last, strict=True))


def choose_camera(path: Path, names: Iterable[str], camera: str | None) -> tuple[str | None, list[str]]:
    """The camera to take of those at a path, the first by name if none is asked for, and a note on others.

    The camera is None if there is none. A name with folders, such as `observation.images.top` or `obs/top`, may be
    given by its last part. Raises UsageError if there is no such camera.
    """
    ordered = sorted(names, key=natural_sort_key)
    if not ordered:
        return None, []
    labels = dict(zip(ordered, camera_labels(ordered), strict=True))
    if camera is not None:
        chosen = next((name for name in ordered if camera in (name, labels[name])), None)
        if chosen is None:
            raise UsageError(f"{path} has no camera {camera!r}; it has {', '.join(labels.values())}.")
        return chosen, []
    note = f"has the cameras {', '.join(labels.values())}; {labels[ordered[0]]} was taken, --camera takes another"
    return ordered[0], [note] if len(ordered) > 1 else []


def describe_actions(
    actions: Sequence[Any], names: Sequence[str] = (), *, are_choices: bool | None = None
) -> list[str]:
    """Actions of one kind in words.

    `are_choices` says whether vectors of zeros and a one are numbers of actions. That holds for all episodes of a
    source alike; by default these actions alone tell.
    """
    if are_choices is None:
        are_choices = all_choices(actions)
    return [describe_action(action, names, is_choice=are_choices) for action in actions]


def all_choices(actions: Iterable[Any]) -> bool:
    """Whether all actions are vectors of zeros and a one; False if there are none."""
    found = False
    for action in actions:
        if not is_choice(action):
            return False
        found = True
    return found


class ActionKind:
    """Describes the actions of a source, in which vectors of zeros and a one are choices in all episodes or in none.

    `read` yields the actions of each episode. It is asked once, and only if those of one episode look like choices.
    """

    def __init__(self, read: Callable[[], Iterable[Iterable[Any]]]) -> None:
        self._read = read

    @cached_property
    def are_choices(self) -> bool:
        """Whether the actions of all episodes are vectors of zeros and a one."""
        return all_choices(chain.from_iterable(self._read()))

    def describe(self, actions: Sequence[Any], names: Sequence[str] = ()) -> list[str]:
        """The actions of one episode in words."""
        return describe_actions(actions, names, are_choices=all_choices(actions) and self.are_choices)


def is_choice(action: Any) -> bool:
    """Whether an action is a vector of integers or truth values that are zeros and a one."""
    values = numbers_of(action)
    if values is None or values.ndim != 1 or len(values) < 2 or values.dtype.kind not in "iub":
        return False
    return sorted(values.tolist()) == [0] * (len(values) - 1) + [1]


def numbers_of(action: Any) -> np.ndarray | None:
    """An action as an array of numbers; None if it is something else."""
    try:
        values = np.asarray(action)
    except ValueError:
        return None  # lists of different lengths
    return values if values.dtype.kind in "iufb" else None


def describe_action(action: Any, names: Sequence[str] = (), *, is_choice: bool = False) -> str:
    """An action in words: its name, else its number; a vector as its numbers, with their names if there are any.

    With `is_choice` a vector of zeros and a one is the number of the one. Anything else is text, or JSON.
    """
    if isinstance(action, bytes | str):
        return (action.decode(errors="replace") if isinstance(action, bytes) else action).strip() or "(empty)"
    values = numbers_of(action)
    if values is None:
        plain = action.tolist() if isinstance(action, np.ndarray) else action
        if isinstance(plain, list) and plain and all(isinstance(item, str) for item in plain):
            return ", ".join(plain)
        return json.dumps(plain, ensure_ascii=False, default=str) if isinstance(plain, list | dict) else str(plain)
    if values.size == 1:
        value = values.ravel()[0]
        if values.ndim == 0 and values.dtype.kind in "iub" and 0 <= int(value) < len(names):
            return names[int(value)]
        label = names[0] if values.ndim and len(names) == 1 else "action"
        return f"{label} {describe_number(value)}"
    if is_choice:
        number = int(values.argmax())
        return names[number] if len(names) == len(values) else f"action {number}"
    numbers = [describe_number(value) for value in values.ravel()]
    if len(names) == len(numbers):
        return ", ".join(f"{name} {number}" for name, number in zip(names, numbers, strict=True))
    return f"({', '.join(numbers)})"


def describe_number(value: Any) -> str:
    """A number: whole ones exactly, others with three digits."""
    return f"{value:.3g}" if isinstance(value, np.floating) else str(value)
