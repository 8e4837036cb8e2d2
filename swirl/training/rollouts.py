"""What one GRPO step samples: in forward phases next states for an inferred action, in inverse phases actions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from swirl.models.generation import SamplingConfig
from swirl.models.world_model import WorldModel
from swirl.settings import Direction, Settings
from swirl.states import Transition
from swirl.training.rewards import partner_adapter
from swirl.training.supervised import PromptCompletion


@dataclass
class RolloutSampler:
    """The trainer's rollout function. `observed` holds this step's (prompt, observed next state) for the anchor."""

    world: WorldModel
    direction: Direction
    transitions: Sequence[Transition]
    settings: Settings
    """Those of this phase."""
    action_sampling: SamplingConfig
    """How the critic's actions are drawn in forward phases: as inverse phases draw them."""
    observed: list[PromptCompletion] = field(default_factory=list)

    def __call__(self, prompts: list[list[int]], trainer: object) -> dict[str, Any]:
        """`prompts` hold transition indices, each repeated G times in a run; returns one completion an entry."""
        size = self.settings.group_size
        rows = [self.transitions[prompt[0]] for prompt in prompts[::size]]
        self.world.codec.prepare([state for row in rows for state in (row.state, row.next_state)])
        if self.direction == "forward":
            actions = self.infer(rows)
            asked = [self.world.layout.forward_prompt(row.state, z) for row, z in zip(rows, actions, strict=True)]
            longest, role, answer = self.settings.max_state_tokens, "fwm", "state"
        else:
            actions = [""] * len(rows)
            asked = [self.world.layout.inverse_prompt(row.state, row.next_state) for row in rows]
            longest, role, answer = self.settings.max_action_tokens, "idm", "action"
        how = rollout_sampling(self.settings, longest)
        completions = self.world.sample(self.world.adapter(role), asked, size, how, answer=answer)
        if self.direction == "forward":
            answers = [self.world.state_completion(row.next_state) for row in rows]
            self.observed = list(zip(asked, answers, strict=True))
            if self.settings.observed_in_group:
                completions[size - 1 :: size] = answers
        return {
            "prompt_ids": [prompt for prompt in asked for _ in range(size)],
            "completion_ids": completions,
            "logprobs": None,
            "action": [action for action in actions for _ in range(size)],
        }

    def infer(self, rows: Sequence[Transition]) -> list[str]:
        """z ~ Q(z | x, y), one for each transition, from the frozen critic."""
        asked = [self.world.layout.inverse_prompt(row.state, row.next_state) for row in rows]
        drawn = self.world.sample(
            partner_adapter(self.world, "forward"), asked, 1, self.action_sampling, answer="action"
        )
        return [self.world.codec.decode(ids) for ids in drawn]


def rollout_sampling(settings: Settings, longest: int) -> SamplingConfig:
    """How a phase draws its rollouts."""
    return SamplingConfig(longest, settings.temperature, settings.top_p, settings.top_k)
