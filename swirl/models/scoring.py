"""Computes the head of the language model only at scored positions and only for the ids that an answer may contain.

The vocabulary of an image model has two parts, words and image codes. A next state consists of codes only, an action
of words only. Sampling and all log-probabilities (old, new, reference, partner) use the same part, so they belong to
the same distribution.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.checkpoint import checkpoint
from transformers.utils import ModelOutput

from swirl.models.cpu_products import multiply
from swirl.models.memory_estimate import LOGITS_AT_ONCE, scoring_token_limit
from swirl.models.packed_rows import (
    Row,
    RowGroup,
    group_rows,
    is_packing_enabled,
    pack,
    packed_hidden_states,
    split_into_parts,
)
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
    model: torch.nn.Module,
    hidden: torch.Tensor,
    ids: torch.Tensor,
    support: TokenSupport,
    temperature: float | torch.Tensor = 1.0,
) -> tuple[torch.Tensor, torch.Tensor]:
    """log P of each id (N,) given its hidden state (N, D), with gradient, and the entropy there; both (N,), in nats.

    `temperature` is one number or one for each id (N,). Raises ValueError if an id lies outside the support.
    """
    if len(ids) and (int(ids.min()) < support.low or (support.high is not None and int(ids.max()) >= support.high)):
        raise ValueError(f"An answer contains an id outside of [{support.low}, {support.high}).")
    temperatures = torch.as_tensor(temperature, dtype=torch.float32, device=hidden.device).expand(len(ids))
    rows = rows_per_logit_block(model, support)
    head = get_token_interface(unwrap_model(model)).plain_head(unwrap_model(model), support)
    if head is not None:
        return FrozenHeadScores.apply(hidden, *head, ids - support.low, temperatures, rows)

    def score_block(
        hidden: torch.Tensor, ids: torch.Tensor, temperatures: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        scores = (compute_logits(model, hidden, support) / temperatures.unsqueeze(1)).log_softmax(dim=-1)
        entropy = -(scores.detach().exp() * scores.detach()).sum(dim=-1)
        return scores.gather(-1, (ids - support.low).unsqueeze(-1)).squeeze(-1), entropy

    if len(ids) <= rows:
        return score_block(hidden, ids, temperatures)
    # The backward pass recomputes each block, so that only one is in memory at a time.
    parts = [
        checkpoint(
            score_block,
            hidden[start : start + rows],
            ids[start : start + rows],
            temperatures[start : start + rows],
            use_reentrant=False,
        )
        for start in range(0, len(ids), rows)
    ]
    return torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts])


class FrozenHeadScores(torch.autograd.Function):
    """log P and entropy under a frozen linear head, block by block, without keeping any logits.

    The gradient of log P with respect to a hidden state is (W_id - sum_v p_v W_v) / T. It is computed along with
    log P, while the block's probabilities are at hand, so the backward pass needs no head product at all.
    """

    @staticmethod
    def forward(
        ctx: Any,
        hidden: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        ids: torch.Tensor,
        temperatures: torch.Tensor,
        rows: int,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """For hidden (N, D), weight (V, D), bias (V,), ids (N,) and temperatures (N,): log P and entropy, both (N,)."""
        needs_gradient = ctx.needs_input_grad[0]
        log_probs = torch.empty(len(ids), dtype=torch.float32, device=hidden.device)
        entropy = torch.empty_like(log_probs)
        gradient = torch.empty_like(hidden) if needs_gradient else None
        # Two blocks of memory for all: getting them anew would take as long as the arithmetic.
        logits, likelihoods = torch.empty(2, min(rows, len(ids)), len(weight), device=hidden.device)
        for start in range(0, len(ids), rows):
            block = slice(start, start + rows)
            targets, temperature = ids[block], temperatures[block].unsqueeze(1)
            scores = logits[: len(targets)].copy_(multiply(hidden[block], weight, bias))
            scores.div_(temperature).sub_(scores.amax(dim=-1, keepdim=True))
            relative = torch.exp(scores, out=likelihoods[: len(targets)])
            total = relative.sum(dim=-1)
            log_total = total.log()
            log_probs[block] = scores.gather(-1, targets.unsqueeze(-1)).squeeze(-1) - log_total
            entropy[block] = log_total - torch.linalg.vecdot(relative, scores) / total
            if gradient is not None:
                expected = multiply(relative.to(weight.dtype), weight.T) / total.unsqueeze(1)
                gradient[block] = ((weight[targets] - expected) / temperature).to(hidden.dtype)
        ctx.save_for_backward(gradient)
        ctx.mark_non_differentiable(entropy)
        return log_probs, entropy

    @staticmethod
    def backward(ctx: Any, outer: torch.Tensor, _: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """The gradient of the hidden states; nothing else needs one."""
        (gradient,) = ctx.saved_tensors
        scaled = None if gradient is None else (gradient * outer.unsqueeze(1)).to(gradient.dtype)
        return scaled, None, None, None, None, None


@dataclass(frozen=True)
class ScoredRows:
    """The rows of one pass with gradient, in groups, and the temperature of each row."""

    rows: Sequence[Row]
    groups: Sequence[RowGroup]
    temperatures: Sequence[float]

    @property
    def members(self) -> list[int]:
        """The rows in the order in which they are scored."""
        return [member for group in self.groups for member in group.members]


@dataclass
class ScoredOutput(ModelOutput):
    """The outputs of a scoring pass.

    For labels, as trl's trainer passes them, `log_probs` and `entropy` are (B, T - 1), 0 where the label is -100 or
    the id was forced, and `tokens` counts the scored positions. For ScoredRows they are (S,): the tokens of all rows
    one after another, in the order of `ScoredRows.members`, 0 where the id was forced; `tokens` counts the others.
    """

    log_probs: torch.Tensor | None = None
    entropy: torch.Tensor | None = None
    aux_loss: torch.Tensor | None = None
    tokens: torch.Tensor | None = None


def score_rows(
    model: torch.nn.Module, batch: ScoredRows, pad_id: int, support: TokenSupport
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """log P, entropy and number of the scored tokens of a part, as in ScoredOutput, with the active adapter."""
    device = next(unwrap_model(model).parameters()).device
    if is_packing_enabled(model):
        packed = pack(batch.rows, batch.groups, device)
        hidden, ids = packed_hidden_states(model, packed), packed.scored_ids
    else:
        hidden, ids = padded_hidden_states(model, [batch.rows[member] for member in batch.members], pad_id, device)
    repeats = torch.tensor([batch.rows[member].scored for member in batch.members], device=device)
    temperatures = torch.tensor([batch.temperatures[member] for member in batch.members], device=device)
    temperatures = temperatures.repeat_interleave(repeats)
    choices = support.choice_mask(ids)
    if bool(choices.all()):
        return *token_scores(model, hidden, ids, support, temperatures), choices.sum()
    scores, entropy = token_scores(model, hidden[choices], ids[choices], support, temperatures[choices])
    empty = scores.new_zeros(len(ids))
    return empty.masked_scatter(choices, scores), empty.masked_scatter(choices, entropy), choices.sum()


@torch.no_grad()
def row_log_probs(
    model: torch.nn.Module,
    rows: Sequence[Row],
    pad_id: int,
    support: TokenSupport = FULL_VOCABULARY,
    temperature: float = 1.0,
    token_limit: int | None = None,
) -> list[torch.Tensor]:
    """log P of the scored tokens of each row, (scored,) in nats, 0 where an id was forced.

    Equal rows are computed once, and so is the beginning that successive rows share. Rows of similar length share a
    pass of at most `token_limit` tokens.
    """
    whole_prompts = get_token_interface(unwrap_model(model)).reads_whole_frames
    limit = token_limit or scoring_token_limit(next(model.parameters()).device.type)
    places: dict[tuple[tuple[int, ...], int], int] = {}
    place_of = [places.setdefault((tuple(row.ids), row.scored), len(places)) for row in rows]
    distinct = [Row(ids, scored) for ids, scored in places]
    groups = sorted(group_rows(distinct, whole_prompts=whole_prompts), key=lambda group: group.tokens(distinct))
    scores: list[torch.Tensor] = [torch.empty(0)] * len(distinct)
    for part in split_into_parts(distinct, groups, limit):
        batch = ScoredRows(distinct, part, [temperature] * len(distinct))
        log_probs, _, _ = score_rows(model, batch, pad_id, support)
        for member, values in zip(
            batch.members, log_probs.split([distinct[member].scored for member in batch.members]), strict=True
        ):
            scores[member] = values
    return [scores[place] for place in place_of]


def padded_hidden_states(
    model: torch.nn.Module, rows: Sequence[Row], pad_id: int, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """The hidden states (S, D) that predict the scored tokens (S,), for models that cannot pack rows."""
    width = max(len(row.ids) for row in rows)
    lengths = torch.tensor([[len(row.ids)] for row in rows], device=device)
    starts = torch.tensor([[row.prompt_length] for row in rows], device=device)
    ids = torch.tensor([[*row.ids, *[pad_id] * (width - len(row.ids))] for row in rows], device=device)
    columns = torch.arange(width, device=device)
    hidden = backbone_states(
        model, input_ids=ids, attention_mask=(columns < lengths).long(), use_cache=False
    ).last_hidden_state
    scored = (columns >= starts) & (columns < lengths)
    return hidden[:, :-1][scored[:, 1:]], ids[scored]


def install_scoring_forward(
    model: torch.nn.Module, pad_id: int, support: TokenSupport = FULL_VOCABULARY, temperature: float = 1.0
) -> None:
    """Replace the forward of a model with the scoring passes of training, limited to the support.

    `model(scored_rows=...)` returns a ScoredOutput for rows that share their prompts. `model(..., labels=...,
    fused_lm_head=True)`, which trl's trainer calls, returns one for the labelled positions only;
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
        scored_rows: ScoredRows | None = None,
        **inputs: Any,
    ) -> Any:
        if scored_rows is not None:
            log_probs, entropy, tokens = score_rows(base, scored_rows, pad_id, support)
            return ScoredOutput(log_probs, entropy, tokens=tokens)
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
