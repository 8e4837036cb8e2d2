"""The language model's head, computed only where an answer is scored and only for the ids that an answer may hold.

A model of pictures has a vocabulary of two parts, words and image codes. A next state is made of codes alone, an action
of words alone; sampling and every log-probability (old, new, reference, partner) use the same part, so that they are
probabilities of one and the same distribution (method, section 6).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.checkpoint import checkpoint
from transformers.utils import ModelOutput

from swirl.models.token_interface import FULL_VOCABULARY, TokenSupport, get_token_interface, unwrap_model

# Numbers in one block of logits: a bound on memory, not on speed.
LOGITS_AT_ONCE = 64_000_000


def backbone_states(model: torch.nn.Module, *, input_ids: torch.Tensor, **inputs: Any) -> Any:
    """The output of the layers below the head, with the active adapter; has `last_hidden_state` (B, T, D)."""
    base = unwrap_model(model)
    return base.base_model(**get_token_interface(base).model_inputs(base, input_ids), **inputs)


def compute_logits(model: torch.nn.Module, hidden: torch.Tensor, support: TokenSupport) -> torch.Tensor:
    """Logits (…, high - low) of hidden states (…, D), in float32."""
    base = unwrap_model(model)
    return get_token_interface(base).logits(base, hidden, support)


def token_scores(
    model: torch.nn.Module, hidden: torch.Tensor, ids: torch.Tensor, support: TokenSupport, temperature: float = 1.0
) -> tuple[torch.Tensor, torch.Tensor]:
    """log P of each id (N,) given its hidden state (N, D), and the entropy there, both (N,) in nats, with gradient.

    Raises ValueError when an id lies outside the support.
    """
    if len(ids) and (int(ids.min()) < support.low or (support.high is not None and int(ids.max()) >= support.high)):
        raise ValueError(f"An answer holds an id outside of [{support.low}, {support.high}).")

    def block(hidden: torch.Tensor, ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        scores = (compute_logits(model, hidden, support) / temperature).log_softmax(dim=-1)
        entropy = -(scores.detach().exp() * scores.detach()).sum(dim=-1)
        return scores.gather(-1, (ids - support.low).unsqueeze(-1)).squeeze(-1), entropy

    base = unwrap_model(model)
    rows = max(1, LOGITS_AT_ONCE // get_token_interface(base).support_size(base, support))
    if len(ids) <= rows:
        return block(hidden, ids)
    # Several blocks: each is computed again in the backward pass, so that only one is ever in memory.
    parts = [
        checkpoint(block, hidden[at : at + rows], ids[at : at + rows], use_reentrant=False)
        for at in range(0, len(ids), rows)
    ]
    return torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts])


@dataclass
class ScoredOutput(ModelOutput):
    """What trl's trainer reads of a scoring pass: (B, T - 1) each, 0 where the label is -100 or was no choice.

    `tokens` counts those that were scored.
    """

    log_probs: torch.Tensor | None = None
    entropy: torch.Tensor | None = None
    aux_loss: torch.Tensor | None = None
    tokens: torch.Tensor | None = None


def install_scoring_forward(
    model: torch.nn.Module, support: TokenSupport = FULL_VOCABULARY, temperature: float = 1.0
) -> None:
    """Give a model the scoring pass that trl's trainer asks for, over the needed positions and the support alone.

    `model(..., labels=..., fused_lm_head=True)` then returns a ScoredOutput; `scoring_temperature=` replaces the
    temperature for one call. trl's own pass knows no restriction, and where it has no GPU kernel it scores the prompt
    as well; it stays in use where the head is sharded over several GPUs and nothing is restricted. Any other call goes
    to the model's own forward.
    """
    base = unwrap_model(model)
    engine = base.forward

    def scoring(
        *args: Any,
        fused_lm_head: bool = False,
        labels: torch.Tensor | None = None,
        scoring_temperature: float = temperature,
        **inputs: Any,
    ) -> Any:
        if not fused_lm_head or labels is None:
            return engine(*args, **inputs) if labels is None else engine(*args, labels=labels, **inputs)
        weight = base.get_output_embeddings().weight
        if (
            support == FULL_VOCABULARY
            and scoring_temperature == temperature
            and (hasattr(weight, "ds_id") or is_sharded(weight))
        ):
            return engine(*args, labels=labels, fused_lm_head=True, **inputs)
        inputs.pop("inputs_embeds", None)  # peft passes all names on, given or not
        hidden = backbone_states(base, **inputs, use_cache=False).last_hidden_state[:, :-1]
        labels = labels[:, 1:]
        needed = (labels != -100) & support.choice_mask(labels)
        log_probs, entropy = token_scores(base, hidden[needed], labels[needed], support, scoring_temperature)
        empty = log_probs.new_zeros(needed.shape)
        return ScoredOutput(
            empty.masked_scatter(needed, log_probs), empty.masked_scatter(needed, entropy), tokens=needed.sum()
        )

    base.forward = scoring


def is_sharded(weight: torch.Tensor) -> bool:
    """Whether FSDP holds this weight in parts."""
    return hasattr(weight, "full_tensor")


def remove_scoring_forward(model: torch.nn.Module) -> None:
    """Give the model its own forward back."""
    unwrap_model(model).__dict__.pop("forward", None)
