"""Labelling by hand: which transition comes next, what was said of it, and the labels as a file for the warm-up.

Only the training part is ever shown: a label from the selection or test part would teach what the scores ask.
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

LONGEST_ACTION = 300
"""Characters; an action is a phrase."""


@dataclass(frozen=True)
class LabellingProgress:
    """What has been said so far: labels and skips, oldest first, each with its transition as it is now.

    `gone` counts labels whose transition is no longer in the collection, or shows something else.
    """

    hand_labels: tuple[tuple[Transition, HandLabel], ...]
    stale_count: int = 0

    @property
    def labels(self) -> list[LabelledTransition]:
        """The labelled transitions, without the skipped ones."""
        return [LabelledTransition(t.state, said.action, t.next_state) for t, said in self.hand_labels if said.action]

    @property
    def skipped_count(self) -> int:
        """How many were skipped."""
        return sum(said.action is None for _, said in self.hand_labels)

    @property
    def labelled_sequence_count(self) -> int:
        """How many sequences have a label."""
        return len({t.sequence_id for t, said in self.hand_labels if said.action})

    def used_actions(self) -> list[str]:
        """The actions used so far, each once, the commonest first, among equals the newest."""
        used = [said.action for _, said in reversed(self.hand_labels) if said.action]
        return sorted(dict.fromkeys(used), key=lambda action: -used.count(action))


def training_transitions(sequences: Sequence[StateSequence]) -> list[Transition]:
    """The transitions of the training part, in an order that spreads over the sequences and is the same every time.

    Each round takes one transition of every sequence; the sequences, and the steps within each, are shuffled.
    """
    learned = [sequence for sequence in sequences if split_of(sequence.id) == "train"]
    rng = random.Random(len(learned))
    rng.shuffle(learned)
    rows = [list(sequence.transitions()) for sequence in learned]
    for row in rows:
        rng.shuffle(row)
    return [row[turn] for turn in range(max(map(len, rows), default=0)) for row in rows if turn < len(row)]


def transition_digest(transition: Transition) -> str:
    """A digest of both states: transitions with equal digests look the same."""
    both = "\0".join(pictures.state_key(state) for state in (transition.state, transition.next_state))
    return hashlib.sha256(both.encode()).hexdigest()


def load_labelling_progress(home: Path, data: str, transitions: Sequence[Transition]) -> LabellingProgress:
    """What was said of a collection's `transitions`, as the history of `home` has it."""
    places = {(t.sequence_id, t.step): t for t in transitions}
    found, gone = [], 0
    for said in History(home).hand_labels(data):
        transition = places.get((said.sequence, said.step))
        if transition is not None and transition_digest(transition) == said.shows:
            found.append((transition, said))
        else:
            gone += said.action is not None
    return LabellingProgress(tuple(found), gone)


def load_hand_labels(home: Path, data: str) -> list[LabelledTransition]:
    """The labels given by hand to a collection. Raises SwirlError when there is no collection of that name."""
    return load_labelling_progress(home, data, training_transitions(load_sequences(home, data))).labels


def unlabelled_transitions(transitions: Sequence[Transition], so_far: LabellingProgress) -> Iterator[Transition]:
    """The transitions still to be labelled, in order: none twice, none that looks like one seen, none without a change.

    Nobody can tell from two equal states what was done.
    """
    places = {(said.sequence, said.step) for _, said in so_far.hand_labels}
    seen = {said.shows for _, said in so_far.hand_labels}
    for transition in transitions:
        if (transition.sequence_id, transition.step) in places:
            continue
        if pictures.state_key(transition.state) == pictures.state_key(transition.next_state):
            continue
        look = transition_digest(transition)
        if look not in seen:
            seen.add(look)
            yield transition


def normalize_action(action: str) -> str:
    """The action without needless space. Raises SwirlError when it is empty or no phrase any more."""
    action = " ".join(action.split())
    if not action:
        raise SwirlError("Say what was done first: type it, or press the number of a suggestion.")
    if len(action) > LONGEST_ACTION:
        raise SwirlError(
            f"An action is a short phrase; this one has {len(action)} characters, keep it to {LONGEST_ACTION}."
        )
    try:
        action.encode()
    except UnicodeEncodeError as error:
        raise SwirlError("The action holds half a character that cannot be stored; type it again.") from error
    return action


def save_hand_label(home: Path, data: str, transition: Transition, action: str | None) -> None:
    """Keep a transition's action, or None to skip it. Raises SwirlError for an action that is no phrase."""
    said = None if action is None else normalize_action(action)
    History(home).save_hand_label(data, transition.sequence_id, transition.step, transition_digest(transition), said)


def undo_last_label(home: Path, data: str, so_far: LabellingProgress) -> tuple[Transition, HandLabel]:
    """Forget the newest thing said, and return it. Raises SwirlError when nothing was said."""
    if not so_far.hand_labels:
        raise SwirlError("There is nothing to undo; no transition of this collection is labelled yet.")
    transition, said = so_far.hand_labels[-1]
    History(home).undo_hand_label(data, said.sequence, said.step)
    return transition, said
