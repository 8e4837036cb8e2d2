"""Score predictions fact by fact: what the step changed, and what it left as it was.

A forward model can fail in two ways: it does not carry the action out, or it loses what the action does not concern.
The facts of a text are its sentences and lines, those of a picture its tokens at their places.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Sequence

from swirl.evaluation.evaluated_rows import EvaluatedRows

FACT_END = re.compile(r"(?<=[.!?;])\s+|\n+")
"""What stands between two facts of a text: white space after a sentence, or a line end."""


def score_facts(rows: EvaluatedRows, predicted: Sequence[str]) -> dict[str, list[float | None]]:
    """`changed_facts` and `kept_facts` of predictions, given by their keys: 0 to 1, None where there are no such facts.

    changed_facts: of the facts of the observed next state that the state lacks, the share that the prediction has; 0
    for copying. kept_facts: of the facts that both have, the share that the prediction has; 1 for copying.
    """
    changed: list[float | None] = []
    kept: list[float | None] = []
    for before, after, ours in zip(rows.keys(rows.states), rows.next_keys, predicted, strict=True):
        old, new, found = (facts_of(rows, key) for key in (before, after, ours))
        changed.append(share_found(new - old, found - (new & old)))
        kept.append(share_found(new & old, found))
    return {"changed_facts": changed, "kept_facts": kept}


def facts_of(rows: EvaluatedRows, key: str) -> Counter[Hashable]:
    """The facts of a state, with how often it says each."""
    if rows.kind == "text":
        return Counter(fact for fact in FACT_END.split(key) if fact.strip())
    return Counter(enumerate(rows.frames.tokens(key)))


def share_found(wanted: Counter[Hashable], found: Counter[Hashable]) -> float | None:
    """The share of the wanted facts that were found; None if none are wanted."""
    total = wanted.total()
    return (wanted & found).total() / total if total else None
