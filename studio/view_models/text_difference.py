"""The words in which two texts differ.

Two texts are aligned sentence by sentence first, then word by word within the sentences that differ, so that a change
in one sentence never spills over into its neighbours.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from functools import lru_cache

TOKEN = re.compile(r"\s+|\w+|[^\w\s]")
Span = tuple[int, int]


def tokenize(text: str) -> list[str]:
    """Split a text into words, punctuation marks and white space; joined, they give the text again."""
    return TOKEN.findall(text)


def sentence_spans(words: Sequence[str]) -> list[Span]:
    """The sentences of a token list as [start, end) spans, each including the space after it."""
    spans, start = [], 0
    for index, word in enumerate(words):
        ends = word.isspace() and ("\n" in word or (index > 0 and words[index - 1] in ".!?;"))
        if ends and index + 1 > start:
            spans.append((start, index + 1))
            start = index + 1
    if start < len(words):
        spans.append((start, len(words)))
    return spans


@lru_cache(maxsize=4096)
def changed_tokens(before: str, after: str) -> tuple[frozenset[int], frozenset[int]]:
    """The indices of the tokens removed from `before` and of those added in `after`, white space excluded."""
    left, right = tokenize(before), tokenize(after)
    left_spans, right_spans = sentence_spans(left), sentence_spans(right)
    removed: set[int] = set()
    added: set[int] = set()
    rows = _texts(left, left_spans), _texts(right, right_spans)
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, *rows, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        pairs = min(i2 - i1, j2 - j1)
        for offset in range(pairs):
            gone, new = _word_changes(left, left_spans[i1 + offset], right, right_spans[j1 + offset])
            removed |= gone
            added |= new
        for span in left_spans[i1 + pairs : i2]:
            removed |= set(range(*span))
        for span in right_spans[j1 + pairs : j2]:
            added |= set(range(*span))
    return (
        frozenset(i for i in removed if not left[i].isspace()),
        frozenset(i for i in added if not right[i].isspace()),
    )


def _texts(words: Sequence[str], spans: Sequence[Span]) -> list[str]:
    return ["".join(words[start:end]).strip() for start, end in spans]


def _word_changes(left: Sequence[str], a: Span, right: Sequence[str], b: Span) -> tuple[set[int], set[int]]:
    removed: set[int] = set()
    added: set[int] = set()
    matcher = SequenceMatcher(None, left[a[0] : a[1]], right[b[0] : b[1]], autojunk=False)
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag != "equal":
            removed |= set(range(a[0] + i1, a[0] + i2))
            added |= set(range(b[0] + j1, b[0] + j2))
    return removed, added


def count_word_errors(truth: str, guess: str) -> int:
    """The number of words of `guess` that are wrong, missing or superfluous."""
    missing, extra = changed_tokens(truth, guess)
    left, right = tokenize(truth), tokenize(guess)
    return max(sum(left[i].isalnum() for i in missing), sum(right[i].isalnum() for i in extra))


def word_count(text: str) -> int:
    """The number of words in a text."""
    return sum(word.isalnum() for word in tokenize(text))
