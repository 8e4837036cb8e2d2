"""Samples the rollouts of a GRPO step: next states for an inferred action (forward phases) or actions (inverse)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from swirl.models.generation import SamplingConfig
from swirl.models.world_model import WorldModel
from swirl.settings import Direction, Settings
from swirl.states import Transition
from swirl.training.rewards import partner_adapter, trainee_prompts
from swirl.training.rollout_server import RolloutServer
from swirl.training.step_parts import StepParts
from swirl.training.supervised import PromptCompletion

MAX_REMEMBERED = 10_000  # transitions whose rollouts are kept as drafts


@dataclass
class RolloutSampler:
    """The trainer's rollout function.

    `observed` holds this step's (prompt, observed state) pairs for the anchor, and `prior_prompts` the reference's
    prompt for each of this step's prompts where it is another one (`prior_reference`).
    """

    world: WorldModel
    direction: Direction
    transitions: Sequence[Transition]
    settings: Settings
    """The settings of this phase."""
    action_sampling: SamplingConfig
    """How forward phases sample the critic's actions: as inverse phases do."""
    observed: list[PromptCompletion] = field(default_factory=list)
    prior_prompts: dict[tuple[int, ...], list[int]] = field(default_factory=dict)
    last_rollouts: dict[int, list[list[int]]] = field(default_factory=dict)
    """A rollout of each transition (by index) when it last came up, those of longest ago first."""
    parts: StepParts = field(default_factory=lambda: StepParts(enabled=False))
    server: RolloutServer | None = None
    """Samples the rollouts; None where the model at hand does. The critic's actions are always sampled here."""

    def __call__(self, prompts: list[list[int]], trainer: object) -> dict[str, Any]:
        """Sample one completion per entry; `prompts` hold transition indices, each repeated G times in a row."""
        with self.parts.time_part("sampling") as part:
            rollouts = self.sample_rollouts(prompts)
            part.tokens += sum(len(ids) for ids in rollouts["completion_ids"])
        return rollouts

    def sample_rollouts(self, prompts: list[list[int]]) -> dict[str, Any]:
        """What trl expects of a rollout function."""
        size = self.settings.group_size
        rows = [self.transitions[prompt[0]] for prompt in prompts[::size]]
        self.world.codec.prepare([state for row in rows for state in (row.state, row.next_state)])
        if self.direction == "forward":
            actions = self.infer(rows)
            max_tokens, role, answer = self.settings.max_state_tokens, "fwm", "state"
        else:
            actions = [""] * len(rows)
            max_tokens, role, answer = self.settings.max_action_tokens, "idm", "action"
        model_prompts = trainee_prompts(self.world, self.direction, rows, actions)
        if self.direction == "inverse" and self.settings.prior_reference:
            priors = [self.world.layout.prompt_without_next_state(row.state) for row in rows]
            self.prior_prompts = dict(zip(map(tuple, model_prompts), priors, strict=True))
        sampling = rollout_sampling(self.settings, max_tokens)
        indices = [prompt[0] for prompt in prompts[::size]]
        adapter = self.world.adapter(role)
        if self.server is not None:
            completions = self.server.sample(adapter, model_prompts, size, sampling)
        else:
            drafts = self.drafts(indices)
            completions = self.world.sample(adapter, model_prompts, size, sampling, answer=answer, drafts=drafts)
            self.remember(indices, completions)
        if self.direction == "forward":
            answers = [self.world.state_completion(row.next_state) for row in rows]
            self.observed = list(zip(model_prompts, answers, strict=True))
            if self.settings.observed_in_group:
                completions[size - 1 :: size] = answers
        return {
            "prompt_ids": [prompt for prompt in model_prompts for _ in range(size)],
            "completion_ids": completions,
            "logprobs": None,
            "action": [action for action in actions for _ in range(size)],
        }

    def drafts(self, indices: Sequence[int]) -> list[list[list[int]]] | None:
        """What the rollouts may look like: the last one of the transition, its next state, its state.

        A draft only makes sampling faster: which tokens are drawn does not depend on it. Actions are a few tokens,
        which drafts do not make faster.
        """
        if self.direction == "inverse":
            return None
        states = [(self.transitions[index].next_state, self.transitions[index].state) for index in indices]
        return [
            [*self.last_rollouts.get(index, []), *(self.world.state_completion(state) for state in pair)]
            for index, pair in zip(indices, states, strict=True)
        ]

    def remember(self, indices: Sequence[int], completions: Sequence[list[int]]) -> None:
        """Keep a rollout of each transition as a draft for the next time that it comes up."""
        if self.direction == "inverse":
            return
        for number, index in enumerate(indices):
            self.last_rollouts.pop(index, None)
            self.last_rollouts[index] = [completions[number * self.settings.group_size]]
        while len(self.last_rollouts) > MAX_REMEMBERED:
            self.last_rollouts.pop(next(iter(self.last_rollouts)))

    def infer(self, rows: Sequence[Transition]) -> list[str]:
        """Sample one action z ~ Q(z | x, y) per transition from the frozen critic."""
        prompts = [self.world.layout.inverse_prompt(row.state, row.next_state) for row in rows]
        sampled = self.world.sample(
            partner_adapter(self.world, "forward"), prompts, 1, self.action_sampling, answer="action"
        )
        return [self.world.codec.decode_action(ids) for ids in sampled]


def rollout_sampling(settings: Settings, max_tokens: int) -> SamplingConfig:
    """How a phase samples its rollouts; `settings` are those of the phase."""
    return SamplingConfig(max_tokens, settings.temperature, settings.top_p, settings.top_k)
