"""Computes the head of the language model only at scored positions and only for the ids that an answer may contain.

The vocabulary of an image model has two parts, words and image codes. A next state consists of codes only, an action
of words only. Sampling and all log-probabilities (old, new, reference, partner) use the same part, so they belong to
the same distribution.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.checkpoint import checkpoint
from transformers.utils import ModelOutput

from swirl.models.memory_estimate import LOGITS_AT_ONCE
from swirl.models.token_interface import FULL_VOCABULARY, TokenSupport, get_token_interface, unwrap_model


def backbone_states(model: torch.nn.Module, *, input_ids: torch.Tensor, **inputs: Any) -> Any:
    """The output of the layers below the head with the active adapter; has `last_hidden_state` (B, T, D)."""
    base = unwrap_model(model)
    return base.base_model(**get_token_interface(base).model_inputs(base, input_ids), **inputs)


def compute_logits(model: torch.nn.Module, hidden: torch.Tensor, support: TokenSupport) -> torch.Tensor:
    """Logits (…, high - low) of hidden states (…, D), in float32."""
    base = unwrap_model(model)
    return get_token_interface(base).logits(base, hidden, support)


def rows_per_logit_block(model: torch.nn.Module, support: TokenSupport) -> int:
    """How many rows of logits over the support to compute at once, to bound memory."""
    base = unwrap_model(model)
    return max(1, LOGITS_AT_ONCE // get_token_interface(base).support_size(base, support))


def token_scores(
    model: torch.nn.Module, hidden: torch.Tensor, ids: torch.Tensor, support: TokenSupport, temperature: float = 1.0
) -> tuple[torch.Tensor, torch.Tensor]:
    """log P of each id (N,) given its hidden state (N, D), with gradient, and the entropy there; both (N,), in nats.

    Raises ValueError if an id lies outside the support.
    """
    if len(ids) and (int(ids.min()) < support.low or (support.high is not None and int(ids.max()) >= support.high)):
        raise ValueError(f"An answer contains an id outside of [{support.low}, {support.high}).")

    def score_block(hidden: torch.Tensor, ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        scores = (compute_logits(model, hidden, support) / temperature).log_softmax(dim=-1)
        entropy = -(scores.detach().exp() * scores.detach()).sum(dim=-1)
        return scores.gather(-1, (ids - support.low).unsqueeze(-1)).squeeze(-1), entropy

    rows = rows_per_logit_block(model, support)
    if len(ids) <= rows:
        return score_block(hidden, ids)
    # The backward pass recomputes each block, so that only one is in memory at a time.
    parts = [
        checkpoint(score_block, hidden[start : start + rows], ids[start : start + rows], use_reentrant=False)
        for start in range(0, len(ids), rows)
    ]
    return torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts])


@dataclass
class ScoredOutput(ModelOutput):
    """The outputs of a scoring pass that trl's trainer reads, each (B, T - 1).

    They are 0 where the label is -100 or the id was forced. `tokens` counts the scored positions.
    """

    log_probs: torch.Tensor | None = None
    entropy: torch.Tensor | None = None
    aux_loss: torch.Tensor | None = None
    tokens: torch.Tensor | None = None


def install_scoring_forward(
    model: torch.nn.Module, support: TokenSupport = FULL_VOCABULARY, temperature: float = 1.0
) -> None:
    """Replace the forward of a model with the scoring pass that trl's trainer calls, limited to the support.

    `model(..., labels=..., fused_lm_head=True)` then returns a ScoredOutput for the labelled positions only;
    `scoring_temperature=` overrides the temperature for one call. trl's own pass cannot restrict the vocabulary, and
    without its GPU kernel it scores the prompt as well. It stays in use if the head is sharded over several GPUs and
    the support is the full vocabulary. All other calls go to the model's own forward.
    """
    base = unwrap_model(model)
    original_forward = base.forward

    def scoring(
        *args: Any,
        fused_lm_head: bool = False,
        labels: torch.Tensor | None = None,
        scoring_temperature: float = temperature,
        **inputs: Any,
    ) -> Any:
        if not fused_lm_head or labels is None:
            return (
                original_forward(*args, **inputs)
                if labels is None
                else original_forward(*args, labels=labels, **inputs)
            )
        weight = base.get_output_embeddings().weight
        if (
            support == FULL_VOCABULARY
            and scoring_temperature == temperature
            and (hasattr(weight, "ds_id") or is_sharded(weight))
        ):
            return original_forward(*args, labels=labels, fused_lm_head=True, **inputs)
        inputs.pop("inputs_embeds", None)  # peft passes it on even if it is None
        hidden = backbone_states(base, **inputs, use_cache=False).last_hidden_state[:, :-1]
        labels = labels[:, 1:]
        is_scored = (labels != -100) & support.choice_mask(labels)
        log_probs, entropy = token_scores(base, hidden[is_scored], labels[is_scored], support, scoring_temperature)
        empty = log_probs.new_zeros(is_scored.shape)
        return ScoredOutput(
            empty.masked_scatter(is_scored, log_probs), empty.masked_scatter(is_scored, entropy), tokens=is_scored.sum()
        )

    base.forward = scoring


def is_sharded(weight: torch.Tensor) -> bool:
    """Whether FSDP has sharded this weight."""
    return hasattr(weight, "full_tensor")


def remove_scoring_forward(model: torch.nn.Module) -> None:
    """Restore the model's own forward."""
    unwrap_model(model).__dict__.pop("forward", None)
