"""The prompts of a phase and the rows that its partner scores, for trainers that bring their own models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from swirl.codecs.state_codecs import Codec, ImageCodec
from swirl.models.prompts import PromptLayout
from swirl.settings import Direction
from swirl.states import Transition

Row = tuple[list[int], list[int]]
"""Token ids of a prompt and of its completion."""


@dataclass(frozen=True)
class PhasePrompts:
    """The token ids of one direction's prompts, built as the world model builds its own."""

    codec: Codec
    layout: PromptLayout
    direction: Direction

    def inference_prompt(self, transition: Transition) -> list[int]:
        """The prompt with which the partner of a forward phase infers the action."""
        return self.layout.inverse_prompt(transition.state, transition.next_state)

    def policy_prompt(self, transition: Transition, action: str) -> list[int]:
        """The prompt of the trainee's rollouts; inverse phases ignore the action."""
        if self.direction == "forward":
            return self.layout.forward_prompt(transition.state, action)
        return self.inference_prompt(transition)

    def partner_row(self, transition: Transition, action: str, completion: Sequence[int]) -> Row:
        """What the partner scores: log Q(z | x, y') in forward phases, log P(y | x, z') in inverse ones."""
        if self.direction == "forward":
            predicted = self.codec.to_prompt_state(completion)
            return self.layout.inverse_prompt(transition.state, predicted), [
                *self.codec.encode(action),
                self.layout.end_id,
            ]
        prompt = self.layout.forward_prompt(transition.state, self.codec.decode_action(completion))
        ids = self.codec.encode_state(transition.next_state)
        if isinstance(self.codec, ImageCodec):
            return prompt, self.codec.to_completion_ids(ids)
        return prompt, [*ids, self.layout.end_id]

    @property
    def draws_pictures(self) -> bool:
        """Whether the rollouts are frames."""
        return self.direction == "forward" and isinstance(self.codec, ImageCodec)
