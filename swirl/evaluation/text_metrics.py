"""Compare two texts: exactly, word by word, by longest common subsequence, and by n-grams of words and of letters.

What counts as a word is decided by `swirl.text_units` from the reference: a word, a character where a script has no
spaces, a cell in a map. White space that says something, where things stand in a map or what belongs to what in code,
is never folded: exact_match and token_accuracy see all of it, BLEU and chrF that of texts with lines or columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from sacrebleu.metrics import BLEU, CHRF

from swirl.text_units import (
    CHINESE,
    JAPANESE,
    has_layout,
    plain_words,
    show_white_space,
    split_units,
    writing_of,
)

if TYPE_CHECKING:
    from rouge_score.rouge_scorer import RougeScorer


def exact_match(candidate: str, reference: str) -> float:
    """1 if both texts are the same to the last character, white space included, else 0; higher is better."""
    return float(candidate == reference)


def same_words(candidate: str, reference: str) -> float:
    """1 if both have the same words in the same order, white space aside, as it says nothing in an action; else 0."""
    return float(candidate.split() == reference.split())


def token_accuracy(candidate: str, reference: str) -> float:
    """The share of word positions, out of those of the longer text, at which both have the same word.

    A word counts with the white space before it; for texts that are not written in words see `swirl.text_units`.
    0 to 1, higher is better; 1 for two empty texts. This measure is ours: an extra word shifts everything after it, as
    in a state that is read field by field.
    """
    writing = writing_of(reference)
    ours, theirs = split_units(candidate, writing), split_units(reference, writing)
    longest = max(len(ours), len(theirs))
    return sum(a == b for a, b in zip(ours, theirs, strict=False)) / longest if longest else 1.0


class UnitTokenizer:
    """Hands the package rouge-score the units of a text, which by itself drops all but a to z and digits."""

    def tokenize(self, text: str) -> list[str]:
        """The units, which `rouge_l` has joined with the character NUL."""
        return text.split("\0") if text else []


@cache
def _rouge() -> RougeScorer:
    from rouge_score.rouge_scorer import RougeScorer  # takes seconds, and most runs never ask for it

    return RougeScorer(["rougeL"], tokenizer=UnitTokenizer())


def rouge_l(candidate: str, reference: str) -> float:
    """ROUGE-L (Lin 2004): the F1 of the longest common subsequence of words, by the package rouge-score.

    0 to 1, higher is better. Words are in lower case, without punctuation, and not stemmed; line ends, indentation and
    wide gaps of the reference count as words.
    """
    if candidate == reference:
        return 1.0
    writing, with_layout = writing_of(reference), has_layout(reference)
    ours, theirs = ("\0".join(plain_words(text, writing, with_layout=with_layout)) for text in (candidate, reference))
    return float(_rouge().score(theirs, ours)["rougeL"].fmeasure)


MEASURES = {"exact_match": exact_match, "token_accuracy": token_accuracy, "rouge_l": rouge_l}
"""The measures of each predicted text."""


@cache
def _bleu(tokenizer: str) -> BLEU:
    return BLEU(tokenize=tokenizer)


def bleu_counts(candidates: Sequence[str], references: Sequence[str], *, standard: bool = False) -> np.ndarray:
    """The counts whose sums give corpus BLEU, (N, 10): matches and totals of 1- to 4-grams, and both lengths.

    Texts without spaces are divided by sacrebleu's own tokenizers for Chinese, else by characters; the white space of
    texts with lines or columns counts as words. With `standard` all are divided as sacrebleu does by default.
    """
    rows = []
    for candidate, reference in zip(candidates, references, strict=True):
        writing = "words" if standard else writing_of(reference)
        metric = _bleu("13a")
        if writing == "characters":
            metric = _bleu("char" if JAPANESE.search(reference) or not CHINESE.search(reference) else "zh")
        elif writing == "cells" or (not standard and has_layout(reference)):
            metric = _bleu("none" if writing == "cells" else "13a")
            candidate, reference = show_white_space(candidate, writing), show_white_space(reference, writing)
        score = metric.corpus_score([candidate], [[reference]])
        rows.append([*score.counts, *score.totals, score.sys_len, score.ref_len])
    return np.array(rows, dtype=float)


def bleu(sums: np.ndarray, order: int = 4) -> float:
    """Corpus BLEU (Papineni et al. 2002) of 1- to `order`-grams, 0 to 100, from summed `bleu_counts` (10,).

    As sacrebleu computes it, with exponential smoothing and the effective order: n-grams longer than all texts are left
    out, so that a perfect prediction of two words scores 100. Higher is better.
    """
    counts = [round(number) for number in sums]
    score = BLEU.compute_bleu(
        counts[:order],
        counts[4 : 4 + order],
        counts[8],
        counts[9],
        smooth_method="exp",
        effective_order=True,
        max_ngram_order=order,
    )
    return float(score.score)


def chrf_counts(candidates: Sequence[str], references: Sequence[str]) -> np.ndarray:
    """The counts whose sums give corpus chrF, (N, 18): n-grams of the candidate, the reference and both, n = 1 to 6.

    White space counts as letters where the reference has lines or columns.
    """
    plain, spaced = CHRF(), CHRF(whitespace=True)
    rows = [
        (spaced if has_layout(reference) else plain)._extract_corpus_statistics([candidate], [[reference]])[0]
        for candidate, reference in zip(candidates, references, strict=True)
    ]
    return np.array(rows, dtype=float)


def chrf(sums: np.ndarray) -> float:
    """Corpus chrF2 (Popović 2015), 0 to 100, from summed `chrf_counts` (18,), as sacrebleu computes it.

    The F score, with recall weighted twice, of n-grams of letters, averaged over n = 1 to 6.
    Higher is better.
    """
    return float(CHRF()._compute_f_score([round(number) for number in sums]))


def n_grams(text: str, n: int) -> set[tuple[str, ...]]:
    """The distinct n-grams of words, in lower case and without punctuation at the ends of words."""
    if (writing := writing_of(text)) == "words":
        words = [word for word in (part.strip(".,;:!?()[]\"'").lower() for part in text.split()) if word]
    else:
        words = plain_words(text, writing)
    return set(zip(*(words[i:] for i in range(n)), strict=False))
