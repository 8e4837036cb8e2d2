"""Rewards and advantages: the reward is the log-probability under the frozen partner (paper, sections 3.1 and 3.2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean, stdev
from typing import Any

from swirl.models.results import LogProb
from swirl.models.world_model import WorldModel
from swirl.pictures import state_preview
from swirl.settings import Direction, Settings
from swirl.states import Transition
from swirl.training.reward_extensions import extend_rewards
from swirl.training.step_parts import StepParts


def partner_adapter(world: WorldModel, direction: Direction) -> str:
    """The adapter of the frozen critic. With shared weights it is the copy made at the start of the phase."""
    return "ref" if world.shared else ("idm" if direction == "forward" else "fwm")


def partner_log_probs(
    world: WorldModel,
    direction: Direction,
    transitions: Sequence[Transition],
    actions: Sequence[str],
    completions: Sequence[Sequence[int]],
) -> list[LogProb]:
    """The critic's log-probabilities of the rollouts, one for each row.

    Forward phases (Phase I): log Q(z | x, y') of the action z in `actions`, given the predicted state y' in
    `completions`. Inverse phases (Phase II): log P(y | x, z') of the observed next state y, given the sampled action z'
    in `completions`.
    """
    layout = world.layout
    if direction == "forward":
        predicted = [world.codec.to_prompt_state(ids) for ids in completions]
        prompts = [layout.inverse_prompt(t.state, y) for t, y in zip(transitions, predicted, strict=True)]
        targets, answer = [world.completion(action) for action in actions], "action"
    else:
        sampled = [world.codec.decode_action(ids) for ids in completions]
        prompts = [layout.forward_prompt(t.state, z) for t, z in zip(transitions, sampled, strict=True)]
        targets, answer = [world.state_completion(t.next_state) for t in transitions], "state"
    return world.log_prob(partner_adapter(world, direction), prompts, targets, answer=answer)


def trainee_prompts(
    world: WorldModel, direction: Direction, transitions: Sequence[Transition], actions: Sequence[str]
) -> list[list[int]]:
    """The prompts that rollouts answer: state and action in forward phases, state and next state in inverse ones."""
    if direction == "forward":
        return [world.layout.forward_prompt(t.state, z) for t, z in zip(transitions, actions, strict=True)]
    return [world.layout.inverse_prompt(t.state, t.next_state) for t in transitions]


def compute_reward(score: LogProb, settings: Settings) -> float:
    """The reward R_k in nats: the log-probability's sum (paper) or per-token mean (authors' code), clamped below."""
    value = score.total if settings.reward == "sum" else score.mean
    return value if settings.reward_clamp is None else max(value, settings.reward_clamp)


def compute_advantages(rewards: Sequence[float]) -> list[float]:
    """The advantages A_k = (R_k - mean R) / (std R + 1e-4) of one group, std with G - 1, as trl computes them.

    For display only: the trainer computes its own.
    """
    mean, deviation = fmean(rewards), stdev(rewards)
    return [(value - mean) / (deviation + 1e-4) for value in rewards]


def rollout_group(
    transition: Transition, action: str, samples: Sequence[str], rewards: Sequence[float]
) -> dict[str, Any]:
    """One group of rollouts in the form that `History.log_rollouts` stores; `samples` are texts or `data:` URIs."""
    return {
        "state": state_preview(transition.state),
        "next_state": state_preview(transition.next_state),
        "action": action,
        "samples": list(samples),
        "rewards": list(rewards),
        "advantages": compute_advantages(rewards),
    }


class PartnerReward:
    """The reward function that the trainer calls with its rollouts; it keeps a few groups to show to the user."""

    MAX_SHOWN_GROUPS = 3
    __name__ = "partner"

    def __init__(
        self,
        world: WorldModel,
        direction: Direction,
        transitions: Sequence[Transition],
        settings: Settings,
        parts: StepParts | None = None,
    ) -> None:
        self.world, self.direction, self.transitions, self.settings = world, direction, transitions, settings
        self.parts = parts or StepParts(enabled=False)
        self.shown_groups: list[dict[str, Any]] = []

    def __call__(
        self,
        prompts: list[list[int]],
        completion_ids: list[list[int]],
        log_metric: Callable[[str, float], None],
        action: list[str],
        **_: Any,
    ) -> list[float]:
        """One reward per rollout, in nats unless an extension makes it relative to its group.

        `prompts` hold transition indices, `action` the action z of each row.
        """
        rows = [self.transitions[prompt[0]] for prompt in prompts]
        with self.parts.time_part("partner") as part:
            scores = partner_log_probs(self.world, self.direction, rows, action, completion_ids)
            part.tokens += sum(score.tokens for score in scores)
        log_metric("partner_total", fmean(score.total for score in scores))
        rewards = [compute_reward(score, self.settings) for score in scores]
        if weight := self.settings.reference_reward:
            own_prompts = trainee_prompts(self.world, self.direction, rows, action)
            answer = "state" if self.direction == "forward" else "action"
            with self.parts.time_part("reference") as part:
                own = self.world.log_prob("ref", own_prompts, completion_ids, answer=answer)
                part.tokens += sum(score.tokens for score in own)
            log_metric("reference_total", fmean(score.total for score in own))
            rewards = [a + weight * compute_reward(b, self.settings) for a, b in zip(rewards, own, strict=True)]
        rewards, figures = extend_rewards(rewards, self.world, self.direction, rows, completion_ids, self.settings)
        for name, value in figures.items():
            log_metric(name, value)
        self.keep_groups(rows, action, completion_ids, rewards)
        return rewards

    def keep_groups(
        self, rows: list[Transition], action: list[str], completion_ids: list[list[int]], rewards: list[float]
    ) -> None:
        """Keep the first groups of this step in `shown_groups`."""
        size = self.settings.group_size
        shown = min(len(rows), self.MAX_SHOWN_GROUPS * size)
        previews = self.previews(completion_ids[:shown])
        self.shown_groups = [
            rollout_group(rows[start], action[start], previews[start : start + size], rewards[start : start + size])
            for start in range(0, shown, size)
        ]

    def previews(self, completion_ids: Sequence[list[int]]) -> list[str]:
        """The rollouts as texts, or as thumbnails' `data:` URIs."""
        if self.direction == "forward":
            return [state_preview(state) for state in self.world.codec.decode_states(completion_ids)]
        return [self.world.codec.decode_action(ids) for ids in completion_ids]
