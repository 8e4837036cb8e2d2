"""Labelling transitions by hand: chooses the next transition, and stores, loads and undoes labels.

Only transitions of the training part are labelled; labels from the selection or test part would leak into the scores.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from swirl import pictures
from swirl.errors import SwirlError
from swirl.history import HandLabel, History
from swirl.sources.collections.catalog import load_sequences
from swirl.sources.collections.split import split_of
from swirl.states import LabelledTransition, StateSequence, Transition

MAX_ACTION_LENGTH = 300
"""The longest action, in characters."""


@dataclass(frozen=True)
class LabellingProgress:
    """The labels and skips so far, oldest first, each with its current transition.

    `stale_count` counts the labels whose transition has left the collection or has changed.
    """

    hand_labels: tuple[tuple[Transition, HandLabel], ...]
    stale_count: int = 0

    @property
    def labels(self) -> list[LabelledTransition]:
        """The labelled transitions, without skipped ones."""
        return [
            LabelledTransition(t.state, label.action, t.next_state) for t, label in self.hand_labels if label.action
        ]

    @property
    def skipped_count(self) -> int:
        """The number of skipped transitions."""
        return sum(label.action is None for _, label in self.hand_labels)

    @property
    def labelled_sequence_count(self) -> int:
        """The number of sequences with a label."""
        return len({t.sequence_id for t, label in self.hand_labels if label.action})

    def used_actions(self) -> list[str]:
        """The distinct actions used so far, the most frequent first, ties with the newest first."""
        used = [label.action for _, label in reversed(self.hand_labels) if label.action]
        return sorted(dict.fromkeys(used), key=lambda action: -used.count(action))


def training_transitions(sequences: Sequence[StateSequence]) -> list[Transition]:
    """The transitions of the training part, in a fixed order that spreads over the sequences.

    Each round takes one transition of every sequence. The sequences, and the steps within each, are shuffled with a
    fixed seed.
    """
    learned = [sequence for sequence in sequences if split_of(sequence.id) == "train"]
    rng = random.Random(len(learned))
    rng.shuffle(learned)
    rows = [list(sequence.transitions()) for sequence in learned]
    for row in rows:
        rng.shuffle(row)
    return [row[turn] for turn in range(max(map(len, rows), default=0)) for row in rows if turn < len(row)]


def transition_digest(transition: Transition) -> str:
    """A SHA-256 of both states: transitions with equal digests look the same."""
    both = "\0".join(pictures.state_key(state) for state in (transition.state, transition.next_state))
    return hashlib.sha256(both.encode()).hexdigest()


def load_labelling_progress(home: Path, data: str, transitions: Sequence[Transition]) -> LabellingProgress:
    """The labels and skips of a collection's `transitions` in the home's history."""
    places = {(t.sequence_id, t.step): t for t in transitions}
    hand_labels, stale_count = [], 0
    for label in History(home).hand_labels(data):
        transition = places.get((label.sequence, label.step))
        if transition is not None and transition_digest(transition) == label.shows:
            hand_labels.append((transition, label))
        else:
            stale_count += label.action is not None
    return LabellingProgress(tuple(hand_labels), stale_count)


def load_hand_labels(home: Path, data: str) -> list[LabelledTransition]:
    """The hand-made labels of a collection. Raises SwirlError if there is no collection of that name."""
    return load_labelling_progress(home, data, training_transitions(load_sequences(home, data))).labels


def unlabelled_transitions(transitions: Sequence[Transition], so_far: LabellingProgress) -> Iterator[Transition]:
    """Yield the transitions still to be labelled, in order, without duplicates and without those that change nothing.

    Two equal states do not show which action was taken.
    """
    places = {(label.sequence, label.step) for _, label in so_far.hand_labels}
    seen = {label.shows for _, label in so_far.hand_labels}
    for transition in transitions:
        if (transition.sequence_id, transition.step) in places:
            continue
        if pictures.state_key(transition.state) == pictures.state_key(transition.next_state):
            continue
        digest = transition_digest(transition)
        if digest not in seen:
            seen.add(digest)
            yield transition


def normalize_action(action: str) -> str:
    """The action with normalised spaces. Raises SwirlError if it is empty, too long, or cannot be stored."""
    action = " ".join(action.split())
    if not action:
        raise SwirlError("The action is empty; type it, or press the number of a suggestion.")
    if len(action) > MAX_ACTION_LENGTH:
        raise SwirlError(
            f"This action has {len(action)} characters; use a short phrase of at most {MAX_ACTION_LENGTH}."
        )
    try:
        action.encode()
    except UnicodeEncodeError as error:
        raise SwirlError("The action contains half a character, which cannot be stored; type it again.") from error
    return action


def save_hand_label(home: Path, data: str, transition: Transition, action: str | None) -> None:
    """Store a transition's action, or None to skip it. Raises SwirlError if the action is not valid."""
    phrase = None if action is None else normalize_action(action)
    History(home).save_hand_label(data, transition.sequence_id, transition.step, transition_digest(transition), phrase)


def undo_last_label(home: Path, data: str, so_far: LabellingProgress) -> tuple[Transition, HandLabel]:
    """Remove and return the newest label or skip. Raises SwirlError if there is none."""
    if not so_far.hand_labels:
        raise SwirlError("There is nothing to undo; no transition of this collection is labelled yet.")
    transition, label = so_far.hand_labels[-1]
    History(home).undo_hand_label(data, label.sequence, label.step)
    return transition, label
