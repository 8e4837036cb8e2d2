"""How a language model takes ids in and gives logits out, so that every family of models is one to the rest."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn.functional import linear
from transformers import PreTrainedModel


@dataclass(frozen=True)
class TokenSupport:
    """The ids [low, high) that an answer may hold; `high=None` is the vocabulary's end.

    Where a model closes each row of a picture with an id of its own, `row_end` follows every `row` ids: it is no
    choice, so it is put in by hand when sampling and has probability 1 when scoring.
    """

    low: int = 0
    high: int | None = None
    row: int = 0
    row_end: int | None = None

    def choice_mask(self, ids: torch.Tensor) -> torch.Tensor:
        """Which ids were a choice: a mask of the shape of `ids`."""
        return torch.ones_like(ids, dtype=torch.bool) if self.row_end is None else ids != self.row_end

    def forced_id(self, step: int) -> int | None:
        """The id that stands at a step (0-based) of an answer whatever the model says; None where it chooses."""
        return self.row_end if self.row_end is not None and (step + 1) % (self.row + 1) == 0 else None


FULL_VOCABULARY = TokenSupport()


class TokenInterface:
    """A causal language model whose embeddings and head cover the whole vocabulary."""

    def model_inputs(self, base: PreTrainedModel, ids: torch.Tensor) -> dict[str, torch.Tensor]:
        """What the layers take for ids (B, T)."""
        return {"input_ids": ids}

    def logits(self, base: PreTrainedModel, hidden: torch.Tensor, support: TokenSupport) -> torch.Tensor:
        """Logits (…, high - low) of hidden states (…, D), in float32."""
        head, config = base.get_output_embeddings(), base.config.get_text_config()
        bias = None if head.bias is None else head.bias[support.low : support.high]
        logits = linear(hidden, head.weight[support.low : support.high], bias).float()
        if (scale := getattr(config, "logits_scaling", None)) is not None:
            logits = logits / scale
        if (cap := getattr(config, "final_logit_softcapping", None)) is not None:
            logits = cap * torch.tanh(logits / cap)
        return logits

    def support_size(self, base: PreTrainedModel, support: TokenSupport) -> int:
        """How many ids the support holds."""
        return len(range(len(base.get_output_embeddings().weight))[support.low : support.high])


DEFAULT_TOKEN_INTERFACE = TokenInterface()


def unwrap_model(model: torch.nn.Module) -> PreTrainedModel:
    """The model below its adapters."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def get_token_interface(base: PreTrainedModel) -> TokenInterface:
    """The body that loading gave to a model of another kind; else the plain one."""
    return getattr(base, "swirl_body", DEFAULT_TOKEN_INTERFACE)
