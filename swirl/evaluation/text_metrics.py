"""Compare two texts: exactly, word by word, by longest common subsequence, and by n-grams of words and of letters.

In a state, white space says something: where things stand in a grid, what belongs to what in code. `exact_match` and
`token_accuracy` see it. ROUGE-L, BLEU and chrF do not, by their definitions.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

import numpy as np
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import BLEU, CHRF

WORD = re.compile(r"\s*\S+|\s+")
"""A word with the white space before it; white space at the end of a text counts as a word."""


def exact_match(candidate: str, reference: str) -> float:
    """1 if both texts are the same to the last character, white space included, else 0; higher is better."""
    return float(candidate == reference)


def same_words(candidate: str, reference: str) -> float:
    """1 if both have the same words in the same order, white space aside, as it says nothing in an action; else 0."""
    return float(candidate.split() == reference.split())


def token_accuracy(candidate: str, reference: str) -> float:
    """The share of word positions, out of those of the longer text, at which both have the same word.

    A word counts with the white space before it. 0 to 1, higher is better; 1 for two empty texts. This measure is ours:
    an extra word shifts everything after it, as in a state that is read field by field.
    """
    ours, theirs = WORD.findall(candidate), WORD.findall(reference)
    longest = max(len(ours), len(theirs))
    return sum(a == b for a, b in zip(ours, theirs, strict=False)) / longest if longest else 1.0


@cache
def _rouge() -> RougeScorer:
    return RougeScorer(["rougeL"], use_stemmer=False)


def rouge_l(candidate: str, reference: str) -> float:
    """ROUGE-L (Lin 2004): the F1 of the longest common subsequence of words, by the package rouge-score.

    0 to 1, higher is better. Words are in lower case, without punctuation, and not stemmed.
    """
    if candidate == reference:
        return 1.0
    return float(_rouge().score(reference, candidate)["rougeL"].fmeasure)


MEASURES = {"exact_match": exact_match, "token_accuracy": token_accuracy, "rouge_l": rouge_l}
"""The measures of each predicted text."""


def bleu_counts(candidates: Sequence[str], references: Sequence[str]) -> np.ndarray:
    """The counts whose sums give corpus BLEU, (N, 10): matches and totals of 1- to 4-grams, and both lengths."""
    metric = BLEU()
    rows = []
    for candidate, reference in zip(candidates, references, strict=True):
        score = metric.corpus_score([candidate], [[reference]])
        rows.append([*score.counts, *score.totals, score.sys_len, score.ref_len])
    return np.array(rows, dtype=float)


def bleu(sums: np.ndarray, order: int = 4) -> float:
    """Corpus BLEU (Papineni et al. 2002) of 1- to `order`-grams, 0 to 100, from summed `bleu_counts` (10,).

    As sacrebleu computes it, with exponential smoothing. Higher is better.
    """
    counts = [round(number) for number in sums]
    score = BLEU.compute_bleu(
        counts[:order], counts[4 : 4 + order], counts[8], counts[9], smooth_method="exp", max_ngram_order=order
    )
    return float(score.score)


def chrf_counts(candidates: Sequence[str], references: Sequence[str]) -> np.ndarray:
    """The counts whose sums give corpus chrF, (N, 18): n-grams of the candidate, the reference and both, n = 1 to 6."""
    return np.array(CHRF()._extract_corpus_statistics(candidates, [references]), dtype=float)


def chrf(sums: np.ndarray) -> float:
    """Corpus chrF2 (Popović 2015), 0 to 100, from summed `chrf_counts` (18,), as sacrebleu computes it.

    The F score, with recall weighted twice, of n-grams of letters without white space, averaged over n = 1 to 6.
    Higher is better.
    """
    return float(CHRF()._compute_f_score([round(number) for number in sums]))


def n_grams(text: str, n: int) -> set[tuple[str, ...]]:
    """The distinct n-grams of words, in lower case and without punctuation at the ends of words."""
    words = [word for word in (part.strip(".,;:!?()[]\"'").lower() for part in text.split()) if word]
    return set(zip(*(words[i:] for i in range(n)), strict=False))
