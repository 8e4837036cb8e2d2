"""The interface between token ids and a language model, so that all model families look alike to other code."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from transformers import PreTrainedModel

from swirl.models.cpu_products import multiply


@dataclass(frozen=True)
class TokenSupport:
    """The ids [low, high) that an answer may contain; `high=None` means the end of the vocabulary.

    If a model ends each row of an image with a special id, `row_end` follows every `row` ids. It is forced rather than
    chosen: sampling inserts it, and scoring gives it probability 1.
    """

    low: int = 0
    high: int | None = None
    row: int = 0
    row_end: int | None = None

    def choice_mask(self, ids: torch.Tensor) -> torch.Tensor:
        """A mask, of the shape of `ids`, of the ids that the model chose."""
        return torch.ones_like(ids, dtype=torch.bool) if self.row_end is None else ids != self.row_end

    def forced_id(self, step: int) -> int | None:
        """The id that is forced at a step (0-based) of an answer; None where the model chooses."""
        return self.row_end if self.row_end is not None and (step + 1) % (self.row + 1) == 0 else None


FULL_VOCABULARY = TokenSupport()


class TokenInterface:
    """A causal language model whose embeddings and head cover the whole vocabulary."""

    reads_whole_frames = False
    """Whether the ids of a frame must not be divided between the parts of a pass."""

    def model_inputs(self, base: PreTrainedModel, ids: torch.Tensor) -> dict[str, torch.Tensor]:
        """The inputs of the layers for ids (B, T)."""
        return {"input_ids": ids}

    def logits(self, base: PreTrainedModel, hidden: torch.Tensor, support: TokenSupport) -> torch.Tensor:
        """Logits (…, high - low) of hidden states (…, D), in float32."""
        head, config = base.get_output_embeddings(), base.config.get_text_config()
        if hasattr(head.weight, "ds_id"):
            # DeepSpeed gathers a sharded weight only while its own module computes.
            logits = head(hidden)[..., support.low : support.high].float()
        else:
            bias = None if head.bias is None else head.bias[support.low : support.high]
            logits = multiply(hidden, head.weight[support.low : support.high], bias).float()
        if (scale := getattr(config, "logits_scaling", None)) is not None:
            logits = logits / scale
        if (cap := getattr(config, "final_logit_softcapping", None)) is not None:
            logits = cap * torch.tanh(logits / cap)
        return logits

    def plain_head(
        self, base: PreTrainedModel, support: TokenSupport
    ) -> tuple[torch.Tensor, torch.Tensor | None] | None:
        """The rows of a frozen linear head for the support, as weight (V, D) and bias (V,) or None.

        None if the head is trained, sharded, or followed by a scaling or a soft cap.
        """
        head, config = base.get_output_embeddings(), base.config.get_text_config()
        transforms = (getattr(config, name, None) for name in ("logits_scaling", "final_logit_softcapping"))
        if type(head) is not torch.nn.Linear or any(value is not None for value in transforms):
            return None
        weight = head.weight
        if weight.requires_grad or hasattr(weight, "full_tensor") or hasattr(weight, "ds_id"):
            return None
        bias = None if head.bias is None else head.bias[support.low : support.high]
        return weight[support.low : support.high], bias

    def support_size(self, base: PreTrainedModel, support: TokenSupport) -> int:
        """The number of ids in the support."""
        return len(range(len(base.get_output_embeddings().weight))[support.low : support.high])


DEFAULT_TOKEN_INTERFACE = TokenInterface()


def unwrap_model(model: torch.nn.Module) -> PreTrainedModel:
    """The base model without its peft wrapper."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def get_token_interface(base: PreTrainedModel) -> TokenInterface:
    """The interface that loading attached to the model, else that of a plain causal language model."""
    return getattr(base, "swirl_token_interface", DEFAULT_TOKEN_INTERFACE)
