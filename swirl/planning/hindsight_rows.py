"""What a goal-conditioned policy is trained on: states, later states of a sequence as goals, and the next action.

A random walk has no purpose. But whatever a sequence came to within a few steps can be read as what it was after, and
its next action as a right one for that (hindsight relabelling, Andrychowicz et al. 2017).
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from swirl.errors import SwirlError
from swirl.pictures import state_key
from swirl.sources.collections.split import split_of
from swirl.states import LabelledTransition, State, StateSequence

MAX_DISTANCE = 6
"""The most steps from a state to its goal: as far as goals are measured."""


@dataclass(frozen=True, slots=True)
class HindsightRow:
    """In `state`, step `step` of a sequence, `action` was taken, and `goal` was the state at step `goal_step`."""

    sequence_id: str
    step: int
    goal_step: int
    state: State
    goal: State
    action: str

    def as_label(self) -> LabelledTransition:
        """The row in the layout of the inverse model, which reads the goal where it reads the next state."""
        return LabelledTransition(self.state, self.action, self.goal)


def hindsight_rows(
    sequences: Sequence[StateSequence], actions: Mapping[str, Sequence[str]], max_distance: int = MAX_DISTANCE
) -> Iterator[HindsightRow]:
    """Yield every row with a goal 1 to `max_distance` steps ahead; `actions` has one a transition, by sequence id.

    Left out are goals behind a step that changed nothing or a state that came back: the next action was none of the way
    there. This is told from the states alone, so that inferred and true actions give rows of the same states and goals.
    """
    for sequence in sequences:
        states, taken = sequence.states, actions[sequence.id]
        keys = [state_key(state) for state in states]
        for step in range(len(states) - 1):
            for goal_step in range(step + 1, min(step + max_distance, len(states) - 1) + 1):
                if keys[goal_step] in keys[step:goal_step]:
                    break
                yield HindsightRow(sequence.id, step, goal_step, states[step], states[goal_step], taken[step])


def draw_sequences(
    sequences: Sequence[StateSequence], count: int, seed: int, data: str, world: str
) -> list[StateSequence]:
    """`count` sequences of the training part, in random order; with one seed, fewer are the first of more.

    Raises SwirlError if the training part of the collection `data`, recorded from `world`, has fewer.
    """
    known = [sequence for sequence in sequences if split_of(sequence.id) == "train"]
    if len(known) < count:
        raise SwirlError(
            f"The training part of {data} has {len(known)} sequences, fewer than the {count} asked for; record more: "
            f"swirl record {world} --sequences {sequences_to_record(count)} --length 12 --seed 5 --out DIR."
        )
    return random.Random(seed).sample(known, len(known))[:count]


def sequences_to_record(count: int) -> int:
    """How many sequences to record so that, very likely, `count` fall into the training part: about four of five do."""
    return -(-(count + 20) * 13 // 1000) * 100
