"""Are the inferred actions said as people say theirs? Their perplexity under a language model, beside the labels'.

The language model is the one in the folder that the environment variable SWIRL_LM names, as transformers'
`AutoModelForCausalLM` and its tokenizer load it; without one it is the base model of the checkpoint itself, its
adapters off. Nothing is ever downloaded. Only ratios under one language model can be compared.
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
"""Transitions whose actions are scored at most."""

Reader = Callable[[Sequence[str]], list[LogProb]]


@runtime_checkable
class TextScoringModel(Protocol):
    """A world model that can tell how likely words are to its bare base model."""

    def base_model_log_prob(self, texts: Sequence[str]) -> list[LogProb]: ...


def describe_model(model: object) -> str | None:
    """Whose perplexities they are, in a sentence; None when there is no language model."""
    if named := os.environ.get(LM_VARIABLE):
        return f"The perplexity ratio is under the language model in {named}."
    if isinstance(model, TextScoringModel):
        return (
            f"The perplexity ratio is under the checkpoint's own base model, its adapters off; {LM_VARIABLE} "
            "names another."
        )
    return None


def text_scorer(model: object) -> Reader | None:
    """What scores words; None when there is nothing. Raises SwirlError if SWIRL_LM names a folder without a model."""
    if named := os.environ.get(LM_VARIABLE):
        return _language_model(named)
    return model.base_model_log_prob if isinstance(model, TextScoringModel) else None


def perplexity_ratio(rows: EvaluatedRows, seed: int = 0) -> Estimate | None:
    """PPL(inferred actions) / PPL(true actions), each exp(−mean log P of a token, its end included); no unit, over 0.

    1 says that the inferred actions are worded as likely as the labels; far above 1 they are gibberish, far below one
    phrase is repeated or copied from what the model often saw (the paper's figure: 1 is good). On READ drawn
    transitions. None without true actions or a language model.
    """
    read = text_scorer(rows.answers.model)
    if read is None or rows.true_actions is None:
        return None
    chosen = rows.sample_indices(MAX_SCORED, seed)
    pairs = [(rows.inferred_actions[i], rows.true_actions[i]) for i in chosen]
    different = sorted({action for pair in pairs for action in pair})
    known = dict(zip(different, read(different), strict=True))
    sums = np.array([[part for z in pair for part in (known[z].total, known[z].tokens)] for pair in pairs], dtype=float)
    return bootstrap.bootstrap_statistic(sums, [rows.transitions[i].sequence_id for i in chosen], ratio, seed)


def ratio(sums: np.ndarray) -> float:
    """The ratio of perplexities, from summed (log P inferred, its tokens, log P true, its tokens), nats."""
    return math.exp(sums[2] / sums[3] - sums[0] / sums[1])


@cache
def _language_model(folder: str) -> Reader:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from swirl.models.generation import completion_log_probs

    where = Path(folder).expanduser()
    try:
        if not where.is_dir():
            raise OSError(f"{where} is no folder")
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
            f"The tokenizer of {LM_VARIABLE}, {folder}, has no end of text; name a language model that has one."
        )

    def read(texts: Sequence[str]) -> list[LogProb]:
        answers = [[*tokenizer(text, add_special_tokens=False)["input_ids"], end] for text in texts]
        with torch.inference_mode():
            found = completion_log_probs(model, [[start]] * len(answers), answers, end)
        return [LogProb(float(scores.sum()), len(scores)) for scores in found]

    return read
