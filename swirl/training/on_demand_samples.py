"""Rollouts that somebody asked to see: of held-out transitions, drawn from the models as they are at this step."""

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
from swirl.states import State, Transition
from swirl.training.rewards import compute_advantages, compute_reward
from swirl.training.rollouts import rollout_sampling

TRANSITIONS, SAMPLES = 2, 4


@dataclass
class OnDemandSampler:
    """Draws a few groups on request. Training's own random numbers are left alone, so that it learns the same."""

    world: WorldModel
    direction: Direction
    transitions: Sequence[Transition]
    settings: Settings
    """Those of this phase."""

    def __call__(self, step: int) -> list[dict[str, Any]]:
        """Groups as `History.log_rollouts` takes them; other transitions at another step."""
        rows = random.Random(step).sample(list(self.transitions), min(TRANSITIONS, len(self.transitions)))
        self.world.codec.prepare([state for row in rows for state in (row.state, row.next_state)])
        generator = torch.Generator(self.world.device).manual_seed(step)
        draw = self.next_states if self.direction == "forward" else self.actions
        return draw(rows, generator)

    def next_states(self, rows: list[Transition], generator: torch.Generator) -> list[dict[str, Any]]:
        """Imagined next states under the inferred actions, scored by how well the action is read from them."""
        world = self.world
        asked = [world.layout.inverse_prompt(row.state, row.next_state) for row in rows]
        greedy = SamplingConfig(self.settings.max_action_tokens, 0.0)
        read = world.sample(world.adapter("idm"), asked, 1, greedy, generator, answer="action")
        actions = [world.codec.decode(ids) for ids in read]
        prompts = [world.layout.forward_prompt(row.state, action) for row, action in zip(rows, actions, strict=True)]
        how = rollout_sampling(self.settings, self.settings.max_state_tokens)
        drawn = world.sample(world.adapter("fwm"), prompts, SAMPLES, how, generator, answer="state")
        states = [world.codec.decode_state(ids) for ids in drawn]
        scores = world.inverse_log_prob([r.state for r in repeated(rows)], states, repeated(actions))
        return self.groups(rows, actions, [state_preview(state) for state in states], scores)

    def actions(self, rows: list[Transition], generator: torch.Generator) -> list[dict[str, Any]]:
        """Sampled actions, scored by how likely they make the observed next state."""
        world = self.world
        prompts = [world.layout.inverse_prompt(row.state, row.next_state) for row in rows]
        how = rollout_sampling(self.settings, self.settings.max_action_tokens)
        drawn = world.sample(world.adapter("idm"), prompts, SAMPLES, how, generator, answer="action")
        actions = [world.codec.decode(ids) for ids in drawn]
        each: list[State] = [r.state for r in repeated(rows)]
        scores = world.forward_log_prob(each, actions, [r.next_state for r in repeated(rows)])
        return self.groups(rows, [""] * len(rows), actions, scores)

    def groups(
        self, rows: list[Transition], actions: list[str], samples: list[str], scores: list[Any]
    ) -> list[dict[str, Any]]:
        """One group for each transition, rewarded as in training."""
        rewards = [compute_reward(score, self.settings) for score in scores]
        cuts = [slice(start, start + SAMPLES) for start in range(0, len(samples), SAMPLES)]
        return [
            {
                "state": state_preview(row.state),
                "next_state": state_preview(row.next_state),
                "action": action,
                "samples": samples[cut],
                "rewards": rewards[cut],
                "advantages": compute_advantages(rewards[cut]),
            }
            for row, action, cut in zip(rows, actions, cuts, strict=True)
        ]


def repeated(values: list[Any]) -> list[Any]:
    """Each value once for each of its samples."""
    return [value for value in values for _ in range(SAMPLES)]
