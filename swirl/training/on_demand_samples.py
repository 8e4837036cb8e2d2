"""Samples rollouts on request during training, of held-out transitions and from the current models."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from swirl.models.generation import SamplingConfig
from swirl.models.world_model import WorldModel
from swirl.pictures import state_preview
from swirl.settings import Direction, Settings
from swirl.states import Transition
from swirl.training.rewards import compute_reward, rollout_group
from swirl.training.rollouts import rollout_sampling

TRANSITIONS_PER_REQUEST, SAMPLES_PER_TRANSITION = 2, 4


@dataclass
class OnDemandSampler:
    """Samples a few groups on request, with random numbers of its own, so that the training result does not change."""

    world: WorldModel
    direction: Direction
    transitions: Sequence[Transition]
    settings: Settings
    """The settings of this phase."""

    def __call__(self, step: int) -> list[dict[str, Any]]:
        """Groups as `History.log_rollouts` takes them; the step selects the transitions."""
        rows = random.Random(step).sample(list(self.transitions), min(TRANSITIONS_PER_REQUEST, len(self.transitions)))
        self.world.codec.prepare([state for row in rows for state in (row.state, row.next_state)])
        generator = torch.Generator(self.world.device).manual_seed(step)
        sample = self.sample_next_states if self.direction == "forward" else self.sample_actions
        return sample(rows, generator)

    def sample_next_states(self, rows: list[Transition], generator: torch.Generator) -> list[dict[str, Any]]:
        """Sampled next states under the inferred actions, scored by log Q of the action given them."""
        world = self.world
        inverse_prompts = [world.layout.inverse_prompt(row.state, row.next_state) for row in rows]
        greedy = SamplingConfig(self.settings.max_action_tokens, 0.0)
        inferred = world.sample(world.adapter("idm"), inverse_prompts, 1, greedy, generator, answer="action")
        actions = [world.codec.decode_action(ids) for ids in inferred]
        prompts = [world.layout.forward_prompt(row.state, action) for row, action in zip(rows, actions, strict=True)]
        sampling = rollout_sampling(self.settings, self.settings.max_state_tokens)
        sampled = world.sample(
            world.adapter("fwm"), prompts, SAMPLES_PER_TRANSITION, sampling, generator, answer="state"
        )
        states = world.codec.decode_states(sampled)
        scores = world.inverse_log_prob([r.state for r in repeat_per_sample(rows)], states, repeat_per_sample(actions))
        return self.groups(rows, actions, [state_preview(state) for state in states], scores)

    def sample_actions(self, rows: list[Transition], generator: torch.Generator) -> list[dict[str, Any]]:
        """Sampled actions, scored by log P of the observed next state given them."""
        world = self.world
        prompts = [world.layout.inverse_prompt(row.state, row.next_state) for row in rows]
        sampling = rollout_sampling(self.settings, self.settings.max_action_tokens)
        sampled = world.sample(
            world.adapter("idm"), prompts, SAMPLES_PER_TRANSITION, sampling, generator, answer="action"
        )
        actions = [world.codec.decode_action(ids) for ids in sampled]
        states = [r.state for r in repeat_per_sample(rows)]
        scores = world.forward_log_prob(states, actions, [r.next_state for r in repeat_per_sample(rows)])
        return self.groups(rows, [""] * len(rows), actions, scores)

    def groups(
        self, rows: list[Transition], actions: list[str], samples: list[str], scores: list[Any]
    ) -> list[dict[str, Any]]:
        """One group per transition, with rewards as in training."""
        rewards = [compute_reward(score, self.settings) for score in scores]
        size = SAMPLES_PER_TRANSITION
        parts = [slice(start, start + size) for start in range(0, len(samples), size)]
        return [
            rollout_group(row, action, samples[part], rewards[part])
            for row, action, part in zip(rows, actions, parts, strict=True)
        ]


def repeat_per_sample(values: list[Any]) -> list[Any]:
    """Each value, repeated once per sample."""
    return [value for value in values for _ in range(SAMPLES_PER_TRANSITION)]
