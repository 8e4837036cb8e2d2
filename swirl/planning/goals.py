"""Goals of a plan: a state, or words that must appear in one; and how much a state still differs from a goal."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import combinations
from typing import Protocol

from swirl.errors import UsageError
from swirl.states import State
from swirl.text_units import plain_words, split_units, writing_of


class CellCodec(Protocol):
    """What goals need of an image codec; `swirl.codecs.state_codecs.ImageCodec` has it."""

    def encode_state(self, state: State) -> list[int]: ...

    def decode_states(self, answers: Sequence[Sequence[int]]) -> list[State]: ...


class Goal(Protocol):
    """What a plan shall reach. `state` is the state that is wanted, or None if any with certain words will do."""

    state: State | None

    def differences(self, states: Sequence[State]) -> list[int]:
        """For each state the number of units that still differ from the goal; 0 if it is reached."""
        ...

    def step_size(self, before: State, after: State) -> int:
        """How many units a step from one state to the other has changed, 1 or more."""
        ...

    def looks_same(self, state: State, other: State) -> bool:
        """Whether two states are the same as far as goals are compared."""
        ...

    def halfway(self, state: State, most: int) -> list[State]:
        """At most `most` states between this one and the goal: one or two of the differences are gone."""
        ...

    def describe(self) -> str:
        """The goal in words."""
        ...


@dataclass(frozen=True)
class TextGoal:
    """A text state; the units are words, or what `swirl.text_units` takes for them, and every one must be right."""

    state: State

    def differences(self, states: Sequence[State]) -> list[int]:
        """For each text the number of units that were changed, added or left out."""
        return [count_changed_units(state.text, self.state.text) for state in states]

    def step_size(self, before: State, after: State) -> int:
        """The units that were changed, added or left out."""
        return max(1, count_changed_units(before.text, after.text))

    def looks_same(self, state: State, other: State) -> bool:
        """Whether both are the same text."""
        return state.text == other.text

    def halfway(self, state: State, most: int) -> list[State]:
        """The text with one or two of the stretches that differ as in the goal."""
        writing = writing_of(self.state.text)
        before, after = split_units(state.text, writing), split_units(self.state.text, writing)
        stretches = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
        changed = [index for index, (tag, *_) in enumerate(stretches) if tag != "equal"]
        return [
            State(
                "".join(
                    "".join(after[j1:j2] if index in chosen else before[i1:i2])
                    for index, (_, i1, i2, j1, j2) in enumerate(stretches)
                )
            )
            for chosen in choose_one_or_two(changed, most)
        ]

    def describe(self) -> str:
        """The text itself."""
        return self.state.text


@dataclass(frozen=True)
class PictureGoal:
    """A picture; the units are the cells of the model's image codec, so it is reached if all codes are equal."""

    state: State
    codec: CellCodec

    def differences(self, states: Sequence[State]) -> list[int]:
        """For each picture the number of cells whose code is another than the goal's."""
        return [len(self._changed_cells(state, self.state)) for state in states]

    def step_size(self, before: State, after: State) -> int:
        """The cells whose code has changed."""
        return max(1, len(self._changed_cells(before, after)))

    def looks_same(self, state: State, other: State) -> bool:
        """Whether all codes are equal."""
        return not self._changed_cells(state, other)

    def halfway(self, state: State, most: int) -> list[State]:
        """The picture with one or two of the cells that differ as in the goal."""
        before, after = self.codec.encode_state(state), self.codec.encode_state(self.state)
        mixed = [
            [after[cell] if cell in chosen else code for cell, code in enumerate(before)]
            for chosen in choose_one_or_two(self._changed_cells(state, self.state), most)
        ]
        return self.codec.decode_states(mixed) if mixed else []

    def _changed_cells(self, before: State, after: State) -> list[int]:
        codes = zip(self.codec.encode_state(before), self.codec.encode_state(after), strict=True)
        return [cell for cell, (a, b) in enumerate(codes) if a != b]

    def describe(self) -> str:
        """What a person sees beside the picture."""
        return "the picture"


@dataclass(frozen=True)
class WordsGoal:
    """Any text in which every one of some phrases appears, whatever the case and the white space.

    The units are the words of the phrases. Of a phrase that does not appear, those words count as reached that do
    appear in a row. Raises UsageError without a phrase.
    """

    phrases: tuple[str, ...]
    state: State | None = None

    def __post_init__(self) -> None:
        if not self.phrases or not all(phrase.strip() for phrase in self.phrases):
            raise UsageError("A goal in words needs at least one word that must appear in the state.")

    def differences(self, states: Sequence[State]) -> list[int]:
        """For each text the number of the phrases' words that are missing."""
        return [sum(missing_words(phrase, state.text) for phrase in self.phrases) for state in states]

    def step_size(self, before: State, after: State) -> int:
        """The words of one phrase, which one step may well add."""
        return max(1, round(sum(len(phrase.split()) for phrase in self.phrases) / len(self.phrases)))

    def looks_same(self, state: State, other: State) -> bool:
        """Whether both are the same text."""
        return state.text == other.text

    def halfway(self, state: State, most: int) -> list[State]:
        """None: the words do not say what the rest of the state looks like."""
        return []

    def describe(self) -> str:
        """The phrases, quoted."""
        return "a state in which " + " and ".join(f"“{phrase}”" for phrase in self.phrases)


def state_goal(state: State, codec: CellCodec | None = None) -> Goal:
    """The goal to reach exactly this state; pictures are compared by the codec of the model."""
    if state.picture is None:
        return TextGoal(state)
    if codec is None:
        raise UsageError("This model reads texts, but the goal is a picture; choose an image model or a goal in words.")
    return PictureGoal(state, codec)


def choose_one_or_two(changed: Sequence[int], most: int) -> list[tuple[int, ...]]:
    """Each one and each two of the changed places, but never all; a repeatable random choice if there are too many."""
    choices = [chosen for size in (1, 2) for chosen in combinations(changed, size) if size < len(changed)]
    return choices if len(choices) <= most else random.Random(len(choices)).sample(choices, most)


def count_changed_units(text: str, other: str) -> int:
    """How many units were changed, added or left out between two texts; 0 only if they are equal to the byte."""
    if text == other:
        return 0
    writing = writing_of(other)
    before, after = split_units(text, writing), split_units(other, writing)
    steps = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    changed = sum(max(i2 - i1, j2 - j1) for tag, i1, i2, j1, j2 in steps if tag != "equal")
    return max(1, changed)


def missing_words(phrase: str, text: str) -> int:
    """How many words of a phrase are missing from a text, where words found in a row count as present."""
    if " ".join(phrase.casefold().split()) in " ".join(text.casefold().split()):
        return 0
    wanted, words = plain_words(phrase), plain_words(text)
    longest = SequenceMatcher(None, wanted, words, autojunk=False).find_longest_match().size
    return max(1, len(wanted) - longest)
