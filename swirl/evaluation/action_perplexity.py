"""Compare the wording of inferred and true actions by their perplexities under a language model.

The language model is in the folder that the environment variable SWIRL_LM names, as transformers'
`AutoModelForCausalLM` and its tokenizer load it; otherwise it is the checkpoint's own base model with its adapters off.
Nothing is ever downloaded. Only ratios under the same language model can be compared.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from swirl.errors import SwirlError
from swirl.evaluation import bootstrap
from swirl.evaluation.bootstrap import Estimate
from swirl.evaluation.evaluated_rows import EvaluatedRows
from swirl.models.results import LogProb

LM_VARIABLE = "SWIRL_LM"

MAX_SCORED = 1000
"""The most transitions whose actions are scored."""

TextScorer = Callable[[Sequence[str]], list[LogProb]]


@runtime_checkable
class TextScoringModel(Protocol):
    """A world model that can score texts under its base model without adapters."""

    def base_model_log_prob(self, texts: Sequence[str]) -> list[LogProb]: ...


def describe_model(model: object) -> str | None:
    """A sentence that names the language model of the perplexities; None if there is none."""
    if folder := os.environ.get(LM_VARIABLE):
        return f"The perplexity ratio is computed with the language model in {folder}."
    if isinstance(model, TextScoringModel):
        return (
            "The perplexity ratio is computed with the checkpoint's own base model, its adapters off; set "
            f"{LM_VARIABLE} to use another."
        )
    return None


def text_scorer(model: object) -> TextScorer | None:
    """The function that scores texts; None if there is no language model.

    Raises SwirlError if SWIRL_LM names a folder without one.
    """
    if folder := os.environ.get(LM_VARIABLE):
        return _language_model(folder)
    return model.base_model_log_prob if isinstance(model, TextScoringModel) else None


def perplexity_ratio(rows: EvaluatedRows, seed: int = 0) -> Estimate | None:
    """PPL(inferred actions) / PPL(true actions), each exp(−mean log P of a token, the end included); no unit, over 0.

    At 1 the wording of the inferred actions is as likely as that of the true ones. Far above 1 they are gibberish; far
    below 1 one phrase is repeated or copied from what the model often saw (the paper's metric; 1 is good). On at most
    MAX_SCORED drawn transitions. None without true actions or a language model.
    """
    score_texts = text_scorer(rows.answers.model)
    if score_texts is None or rows.true_actions is None:
        return None
    chosen = rows.sample_indices(MAX_SCORED, seed)
    pairs = [(rows.inferred_actions[i], rows.true_actions[i]) for i in chosen]
    distinct = sorted({action for pair in pairs for action in pair})
    scores = dict(zip(distinct, score_texts(distinct), strict=True))
    sums = np.array(
        [[number for z in pair for number in (scores[z].total, scores[z].tokens)] for pair in pairs], dtype=float
    )
    return bootstrap.bootstrap_statistic(sums, [rows.transitions[i].sequence_id for i in chosen], _ratio, seed)


def _ratio(sums: np.ndarray) -> float:
    """The ratio of perplexities from the sums (log P inferred, its tokens, log P true, its tokens), in nats."""
    return math.exp(sums[2] / sums[3] - sums[0] / sums[1])


@cache
def _language_model(folder: str) -> TextScorer:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from swirl.models.generation import completion_log_probs

    where = Path(folder).expanduser()
    try:
        if not where.is_dir():
            raise OSError(f"{where} is not a folder")
        tokenizer: Any = AutoTokenizer.from_pretrained(where, local_files_only=True)
        model = AutoModelForCausalLM.from_pretrained(where, local_files_only=True).eval()
    except (OSError, ValueError) as error:
        raise SwirlError(
            f"{LM_VARIABLE} names {folder}, which holds no causal language model; name a folder that does, or "
            f"unset {LM_VARIABLE}."
        ) from error
    end = tokenizer.eos_token_id
    start = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else end
    if start is None or end is None:
        raise SwirlError(
            f"The tokenizer in {folder}, which {LM_VARIABLE} names, has no end-of-text token; name a language model "
            "that has one."
        )

    def score_texts(texts: Sequence[str]) -> list[LogProb]:
        # An action may quote a control token, which is ordinary text there.
        options = {"add_special_tokens": False, "split_special_tokens": True}
        completions = [[*tokenizer(text, **options)["input_ids"], end] for text in texts]
        with torch.inference_mode():
            log_probs = completion_log_probs(model, [[start]] * len(completions), completions, end)
        return [LogProb(float(scores.sum()), len(scores)) for scores in log_probs]

    return score_texts
