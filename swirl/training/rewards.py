"""The reward of one model is the log-probability under its frozen partner (sections 3.1 and 3.2 of the paper)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean, pstdev
from typing import Any

from swirl.models.results import LogProb
from swirl.models.world_model import WorldModel
from swirl.pictures import state_preview
from swirl.settings import Direction, Settings
from swirl.states import Transition


def partner_adapter(world: WorldModel, direction: Direction) -> str:
    """The frozen critic of a phase. With shared weights it is the phase-start copy, for the trainee itself moves."""
    return "ref" if world.shared else ("idm" if direction == "forward" else "fwm")


def partner_log_probs(
    world: WorldModel,
    direction: Direction,
    transitions: Sequence[Transition],
    actions: Sequence[str],
    completions: Sequence[Sequence[int]],
) -> list[LogProb]:
    """The critic's log-probabilities of the rollouts.

    Forward phases (Phase I): log Q(z | x, y') of the predicted state y' in `completions`, for the action z of its row.
    Inverse phases (Phase II): log P(y | x, z') of the observed next state y, for the sampled action z'.
    """
    layout = world.layout
    if direction == "forward":
        seen = [world.codec.to_prompt_state(ids) for ids in completions]
        prompts = [layout.inverse_prompt(t.state, y) for t, y in zip(transitions, seen, strict=True)]
        wanted, answer = [world.completion(action) for action in actions], "action"
    else:
        sampled = [world.codec.decode(ids) for ids in completions]
        prompts = [layout.forward_prompt(t.state, z) for t, z in zip(transitions, sampled, strict=True)]
        wanted, answer = [world.state_completion(t.next_state) for t in transitions], "state"
    return world.log_prob(partner_adapter(world, direction), prompts, wanted, answer=answer)


def compute_reward(score: LogProb, settings: Settings) -> float:
    """R_k: the sum (the paper) or per-token mean (the authors' code) of the log-probability, clamped from below."""
    value = score.total if settings.reward == "sum" else score.mean
    return value if settings.reward_clamp is None else max(value, settings.reward_clamp)


def compute_advantages(rewards: Sequence[float]) -> list[float]:
    """A_k = (R_k - mean R) / (std R + 1e-4) within one group; what the trainer computes, for showing."""
    mean, spread = fmean(rewards), pstdev(rewards) * (len(rewards) / (len(rewards) - 1)) ** 0.5
    return [(value - mean) / (spread + 1e-4) for value in rewards]


class PartnerReward:
    """The reward function that the trainer calls with its rollouts; remembers a few groups for people to look at."""

    MAX_SHOWN_GROUPS = 3
    __name__ = "partner"

    def __init__(
        self, world: WorldModel, direction: Direction, transitions: Sequence[Transition], settings: Settings
    ) -> None:
        self.world, self.direction, self.transitions, self.settings = world, direction, transitions, settings
        self.shown_groups: list[dict[str, Any]] = []

    def __call__(
        self,
        prompts: list[list[int]],
        completion_ids: list[list[int]],
        log_metric: Callable[[str, float], None],
        action: list[str],
        **_: Any,
    ) -> list[float]:
        """One reward a rollout, in nats. `prompts` hold the transitions' indices, `action` the z of each row."""
        rows = [self.transitions[prompt[0]] for prompt in prompts]
        scores = partner_log_probs(self.world, self.direction, rows, action, completion_ids)
        log_metric("partner_total", fmean(score.total for score in scores))
        rewards = [compute_reward(score, self.settings) for score in scores]
        self.keep_groups(rows, action, completion_ids, rewards)
        return rewards

    def keep_groups(
        self, rows: list[Transition], action: list[str], completion_ids: list[list[int]], rewards: list[float]
    ) -> None:
        """Keep the first groups of this step."""
        size = self.settings.group_size
        self.shown_groups = [
            {
                "state": state_preview(rows[start].state),
                "next_state": state_preview(rows[start].next_state),
                "action": action[start],
                "samples": [self.sample(ids) for ids in completion_ids[start : start + size]],
                "rewards": rewards[start : start + size],
                "advantages": compute_advantages(rewards[start : start + size]),
            }
            for start in range(0, min(len(rows), self.MAX_SHOWN_GROUPS * size), size)
        ]

    def sample(self, ids: list[int]) -> str:
        """One rollout for people: a text, or a thumbnail."""
        if self.direction == "forward":
            return state_preview(self.world.codec.decode_state(ids))
        return self.world.codec.decode(ids)
