"""What is evaluated: transitions in whole sequences, the hidden true actions if there are any, the inferred ones."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import cast

from swirl.evaluation import text_metrics
from swirl.evaluation.answers import ModelAnswers
from swirl.evaluation.frame_comparison import Frames, Measure, PictureModel
from swirl.states import State, Transition


@dataclass(frozen=True)
class EvaluatedRows:
    """N transitions (x, y), with the true action z of each or None, and the model that is asked about them.

    A list of N numbers, one for each transition in this order, is what a metric returns; None stands for a transition
    on which the metric is not defined.
    """

    transitions: Sequence[Transition]
    true_actions: Sequence[str] | None
    answers: ModelAnswers

    @cached_property
    def states(self) -> list[State]:
        """x."""
        return [transition.state for transition in self.transitions]

    @cached_property
    def next_states(self) -> list[State]:
        """y, observed."""
        return [transition.next_state for transition in self.transitions]

    @cached_property
    def inferred_actions(self) -> list[str]:
        """z, decoded greedily by the IDM from (x, y)."""
        return self.answers.actions(self.states, self.next_states)

    @cached_property
    def true_or_inferred_actions(self) -> Sequence[str]:
        """The true actions where they are known, else the inferred ones."""
        return self.inferred_actions if self.true_actions is None else self.true_actions

    @cached_property
    def kind(self) -> str:
        """What the states are: "text" or "image"."""
        return "text" if self.transitions[0].state.picture is None else "image"

    @cached_property
    def frames(self) -> Frames:
        """The frames as the model's codec sees them; for pictures alone."""
        return Frames(cast(PictureModel, self.answers.model).codec, self.answers.state)

    @cached_property
    def measures(self) -> Mapping[str, Measure]:
        """How two states are compared, given by their keys: name by name, a number a pair."""
        return text_metrics.MEASURES if self.kind == "text" else self.frames.measures

    @cached_property
    def next_keys(self) -> list[str]:
        """The keys of y."""
        return self.keys(self.next_states)

    def keys(self, states: Sequence[State]) -> list[str]:
        """The keys of states; a text is its own."""
        return [self.answers.key(state) for state in states]

    def sample_indices(self, most: int, seed: int) -> list[int]:
        """The indices of all transitions, or of `most` randomly drawn ones, in order."""
        everyone = range(len(self.transitions))
        return sorted(random.Random(seed).sample(everyone, min(most, len(everyone))))

    def other_sequence_indices(self, seed: int) -> list[int]:
        """For each transition the index of a random one of another sequence; each index is used once.

        Where one sequence holds more than half of the transitions, some get another step of their own sequence; a lone
        transition is its own partner.
        """
        rng = random.Random(seed)
        by_sequence: dict[str, list[int]] = {}
        for index, transition in enumerate(self.transitions):
            by_sequence.setdefault(transition.sequence_id, []).append(index)
        runs = list(by_sequence.values())
        rng.shuffle(runs)
        for run in runs:
            rng.shuffle(run)
        order = [index for run in runs for index in run]
        # Laid out sequence by sequence, a step as long as the longest sequence leaves every sequence.
        longest = max(len(run) for run in runs)
        stride = longest if 2 * longest <= len(order) else len(order) // 2
        partner = {index: order[(place + stride) % len(order)] for place, index in enumerate(order)}
        return [partner[index] for index in range(len(order))]
