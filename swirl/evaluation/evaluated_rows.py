"""The rows that metrics are computed on: transitions with their true actions, if known, and the model's answers."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar, cast

from swirl.evaluation import text_metrics
from swirl.evaluation.answers import ModelAnswers
from swirl.evaluation.frame_comparison import Frames, Measure, PictureModel
from swirl.states import State, Transition

Value = TypeVar("Value")


@dataclass(frozen=True)
class EvaluatedRows:
    """N transitions (x, y), their true actions z or None where unknown, and the answers of the model under evaluation.

    A metric returns a list of N numbers, one per transition in this order; None marks a transition on which the metric
    is not defined.
    """

    transitions: Sequence[Transition]
    true_actions: Sequence[str] | None
    answers: ModelAnswers

    @cached_property
    def states(self) -> list[State]:
        """The states x."""
        return [transition.state for transition in self.transitions]

    @cached_property
    def next_states(self) -> list[State]:
        """The observed next states y."""
        return [transition.next_state for transition in self.transitions]

    @cached_property
    def inferred_actions(self) -> list[str]:
        """The actions z that the IDM decodes greedily from (x, y)."""
        return self.answers.actions(self.states, self.next_states)

    @cached_property
    def true_or_inferred_actions(self) -> Sequence[str]:
        """The true actions where they are known, else the inferred ones."""
        return self.inferred_actions if self.true_actions is None else self.true_actions

    @cached_property
    def kind(self) -> str:
        """The kind of the states: "text" or "image"."""
        return "text" if self.transitions[0].state.picture is None else "image"

    @cached_property
    def frames(self) -> Frames:
        """The frames as the model's codec sees them; only for pictures."""
        return Frames(cast(PictureModel, self.answers.model).codec, self.answers.state)

    @cached_property
    def measures(self) -> Mapping[str, Measure]:
        """The measures that compare two states, given by their keys, by name."""
        return text_metrics.MEASURES if self.kind == "text" else self.frames.measures

    @cached_property
    def next_keys(self) -> list[str]:
        """The keys of the observed next states y."""
        return self.keys(self.next_states)

    def keys(self, states: Sequence[State]) -> list[str]:
        """The keys of states; a text is its own key."""
        return [self.answers.key(state) for state in states]

    def sample_indices(self, most: int, seed: int) -> list[int]:
        """The indices of at most `most` randomly drawn transitions, in ascending order."""
        indices = range(len(self.transitions))
        return sorted(random.Random(seed).sample(indices, min(most, len(indices))))

    def one_per_transition(self, values: Mapping[int, Value]) -> list[Value | None]:
        """Values by the index of their transition as a list of N; None where a transition has no value."""
        return [values.get(index) for index in range(len(self.transitions))]

    def other_sequence_indices(self, seed: int) -> list[int]:
        """For each transition the index of a random one from another sequence; each index is used once.

        If one sequence holds more than half of the transitions, some of them get another step of their own sequence; a
        single transition is its own partner.
        """
        rng = random.Random(seed)
        by_sequence: dict[str, list[int]] = {}
        for index, transition in enumerate(self.transitions):
            by_sequence.setdefault(transition.sequence_id, []).append(index)
        sequences = list(by_sequence.values())
        rng.shuffle(sequences)
        for sequence in sequences:
            rng.shuffle(sequence)
        order = [index for sequence in sequences for index in sequence]
        # In this order, a stride as long as the longest sequence always lands in another sequence.
        longest = max(len(sequence) for sequence in sequences)
        stride = longest if 2 * longest <= len(order) else len(order) // 2
        partner = {index: order[(place + stride) % len(order)] for place, index in enumerate(order)}
        return [partner[index] for index in range(len(order))]
