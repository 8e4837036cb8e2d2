"""A plain GRPO trainer of two language models, for comparison: each of its models is a separate copy of the base.

It follows what the authors' published code does (paper, arXiv 2602.06130): policy, partner and, with beta > 0, the
reference policy are full models; every rollout has its own pass over its prompt; the head is computed over the whole
vocabulary at every position. What that code does besides, such as moving models between GPU and CPU, is left out. Like
ours, the policy has LoRA adapters, and the objective is the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from transformers import LogitsProcessor, LogitsProcessorList

from swirl.models.generation import left_pad
from swirl.runs.step_benchmark.phase_prompts import PhasePrompts, Row
from swirl.states import Transition
from swirl.training.step_parts import StepParts

MAX_GRAD_NORM = 1.0


@dataclass(frozen=True)
class Rollouts:
    """The rollouts of a step, G in a row for each transition, and what the partner scores for each."""

    rows: list[Row]
    """Prompt and sampled completion."""
    partner_rows: list[Row]
    """The partner's prompt and the answer whose log-probability is the reward."""


def full_log_probs(model: torch.nn.Module, rows: Sequence[Row], pad_id: int) -> tuple[torch.Tensor, torch.Tensor]:
    """log P of each completion's tokens in nats and the mask of those that exist, both (B, longest completion).

    The head is computed over the whole vocabulary at every position.
    """
    ids, mask = left_pad([prompt + completion for prompt, completion in rows], pad_id, next(model.parameters()).device)
    positions = (mask.cumsum(dim=-1) - 1).clamp(min=0)
    logits = model(input_ids=ids, attention_mask=mask, position_ids=positions).logits
    longest = max(len(completion) for _, completion in rows)
    scores = logits[:, -longest - 1 : -1].float().log_softmax(dim=-1)
    chosen = scores.gather(-1, ids[:, -longest:].unsqueeze(-1)).squeeze(-1)
    lengths = torch.tensor([len(completion) for _, completion in rows], device=ids.device)
    return chosen, torch.arange(longest, device=ids.device) >= longest - lengths.unsqueeze(1)


@torch.no_grad()
def mean_log_probs(model: torch.nn.Module, rows: Sequence[Row], pad_id: int) -> torch.Tensor:
    """The mean log-probability per token of each completion (B,), in nats, without gradient."""
    log_probs, exists = full_log_probs(model, rows, pad_id)
    return (log_probs * exists).sum(dim=1) / exists.sum(dim=1)


class AllowedRange(LogitsProcessor):
    """Lets sampling choose only the ids [low, high)."""

    def __init__(self, low: int, high: int) -> None:
        self.low, self.high = low, high

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """The scores (B, V) with all other ids at minus infinity."""
        masked = torch.full_like(scores, -torch.inf)
        masked[:, self.low : self.high] = scores[:, self.low : self.high]
        return masked


class PlainTrainer:
    """Trains `policy` with the log-probabilities of the frozen `partner` as rewards; `reference` may be None.

    The models take token ids and return logits, like any causal language model of transformers. The reward is the mean
    log-probability per token in nats.
    """

    def __init__(
        self,
        policy: torch.nn.Module,
        partner: torch.nn.Module,
        reference: torch.nn.Module | None,
        prompts: PhasePrompts,
        *,
        pad_id: int,
        group_size: int,
        answer_tokens: int,
        action_tokens: int,
        beta: float,
        learning_rate: float = 1e-6,
        picture_ids: tuple[int, int] | None = None,
        parts: StepParts | None = None,
    ) -> None:
        self.policy, self.partner, self.reference, self.prompts = policy, partner, reference, prompts
        self.pad_id, self.group_size, self.beta = pad_id, group_size, beta
        self.answer_tokens, self.action_tokens, self.picture_ids = answer_tokens, action_tokens, picture_ids
        self.parts = parts or StepParts(enabled=False)
        self.trained = [parameter for parameter in policy.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.AdamW(self.trained, lr=learning_rate, weight_decay=0.0)

    def step(self, transitions: Sequence[Transition]) -> float:
        """One optimiser step with a group of rollouts for each transition; returns the loss."""
        with self.parts.time_part("sampling") as part:
            rollouts = self.sample(transitions)
            part.tokens += sum(len(completion) for _, completion in rollouts.rows)
        with self.parts.time_part("partner", sum(len(answer) for _, answer in rollouts.partner_rows)):
            rewards = mean_log_probs(self.partner, rollouts.partner_rows, self.pad_id)
        sampled_tokens = sum(len(completion) for _, completion in rollouts.rows)
        reference = None
        if self.reference is not None:
            with self.parts.time_part("reference", sampled_tokens), torch.no_grad():
                reference, _ = full_log_probs(self.reference, rollouts.rows, self.pad_id)
        self.parts.start_update(sampled_tokens)
        loss = self.loss(rollouts, self.advantages(rewards), reference)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.trained, MAX_GRAD_NORM)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return loss.item()

    def sample(self, transitions: Sequence[Transition]) -> Rollouts:
        """Infer an action for each transition in forward phases, and sample G answers of the policy."""
        prompts, codec = self.prompts, self.prompts.codec
        codec.prepare([state for row in transitions for state in (row.state, row.next_state)])
        actions = [""] * len(transitions)
        if prompts.direction == "forward":
            questions = [prompts.inference_prompt(row) for row in transitions]
            words = None if self.picture_ids is None else (0, self.picture_ids[0])
            actions = [
                codec.decode_action(ids) for ids in self.generate(self.partner, questions, self.action_tokens, words)
            ]
        repeated = [(row, z) for row, z in zip(transitions, actions, strict=True) for _ in range(self.group_size)]
        questions = [prompts.policy_prompt(row, z) for row, z in repeated]
        allowed = self.picture_ids
        if allowed is not None and not prompts.draws_pictures:
            allowed = (0, allowed[0])
        completions = self.generate(self.policy, questions, self.answer_tokens, allowed)
        return Rollouts(
            list(zip(questions, completions, strict=True)),
            [prompts.partner_row(row, z, ids) for (row, z), ids in zip(repeated, completions, strict=True)],
        )

    @torch.no_grad()
    def generate(
        self, model: torch.nn.Module, prompts: list[list[int]], tokens: int, allowed: tuple[int, int] | None
    ) -> list[list[int]]:
        """Exactly `tokens` sampled ids after each prompt, at temperature 1."""
        ids, mask = left_pad(prompts, self.pad_id, next(model.parameters()).device)
        sampled = model.generate(
            input_ids=ids,
            attention_mask=mask,
            do_sample=True,
            temperature=1.0,
            top_k=0,
            top_p=1.0,
            min_new_tokens=tokens,
            max_new_tokens=tokens,
            pad_token_id=self.pad_id,
            logits_processor=LogitsProcessorList([] if allowed is None else [AllowedRange(*allowed)]),
        )
        return sampled[:, ids.shape[1] :].tolist()

    def advantages(self, rewards: torch.Tensor) -> torch.Tensor:
        """A = (R - mean R) / (std R + 1e-4) within each group; rewards and advantages are (B,)."""
        groups = rewards.view(-1, self.group_size)
        centred = groups - groups.mean(dim=1, keepdim=True)
        return (centred / (groups.std(dim=1, keepdim=True) + 1e-4)).flatten()

    def loss(
        self, rollouts: Rollouts, advantages: torch.Tensor, reference_log_probs: torch.Tensor | None
    ) -> torch.Tensor:
        """The GRPO loss: the mean over rollouts of the mean over their tokens of -ratio × A + beta × KL (k3).

        The policy that sampled is the one that is trained, so the ratio is 1 and only its gradient matters.
        """
        log_probs, exists = full_log_probs(self.policy, rollouts.rows, self.pad_id)
        terms = -(log_probs - log_probs.detach()).exp() * advantages.unsqueeze(1)
        if reference_log_probs is not None:
            difference = reference_log_probs - log_probs
            terms = terms + self.beta * (difference.exp() - difference - 1)
        return ((terms * exists).sum(dim=1) / exists.sum(dim=1)).mean()
