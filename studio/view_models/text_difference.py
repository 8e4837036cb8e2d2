"""The words in which two texts differ, and the white space.

Two texts are aligned sentence by sentence first, then word by word within the sentences that differ, so that a change
in one sentence never spills over into its neighbours. White space counts where it is all that differs: how a line is
indented, whether the text ends with a line end. In scripts without spaces a word is a character. Two maps of one shape
are compared by line and cell.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from functools import lru_cache

from studio.view_models.formatting import pluralize
from swirl.text_units import Writing, writing_of

TOKEN = re.compile(r"\s*\n|[^\S\n]+|\w+|[^\w\s]")
CHARACTER_TOKEN = re.compile(r"\s*\n|[^\S\n]+|[A-Za-z0-9]+|\S")
SENTENCE_ENDS = "。！？；"  # after which no space follows
UNIT: dict[Writing, str] = {"words": "word", "characters": "character", "cells": "cell"}
Span = tuple[int, int]


def tokenize(text: str) -> list[str]:
    """Split a text into words, punctuation marks and white space; joined, they give the text again.

    Line ends and the indentation after them are tokens of their own, and so is every cell of a map.
    """
    writing = writing_of(text)
    if writing == "cells":
        return list(text)
    return (CHARACTER_TOKEN if writing == "characters" else TOKEN).findall(text)


def sentence_spans(words: Sequence[str]) -> list[Span]:
    """The sentences of a token list as [start, end) spans, each including the space after it."""
    spans, start = [], 0
    for index, word in enumerate(words):
        ends = word.isspace() and ("\n" in word or (index > 0 and words[index - 1] in ".!?;"))
        ends |= word in SENTENCE_ENDS
        if ends and index + 1 > start:
            spans.append((start, index + 1))
            start = index + 1
    if start < len(words):
        spans.append((start, len(words)))
    return spans


@lru_cache(maxsize=512)  # more than a page shows; the texts, which may be long, are kept with each
def changed_tokens(before: str, after: str) -> tuple[frozenset[int], frozenset[int]]:
    """The indices of the tokens removed from `before` and of those added in `after`.

    White space is among them only where no word beside it changed.
    """
    left, right = tokenize(before), tokenize(after)
    if are_maps_of_one_shape(before, after):
        differing = frozenset(i for i, (old, new) in enumerate(zip(left, right, strict=True)) if old != new)
        return differing, differing
    left_spans, right_spans = sentence_spans(left), sentence_spans(right)
    removed: set[int] = set()
    added: set[int] = set()
    rows = _texts(left, left_spans), _texts(right, right_spans)
    for _, i1, i2, j1, j2 in SequenceMatcher(None, *rows, autojunk=False).get_opcodes():
        pairs = min(i2 - i1, j2 - j1)
        for i, j in zip(range(i1, i1 + pairs), range(j1, j1 + pairs), strict=True):
            spans = left_spans[i], right_spans[j]
            if (i + 1 == len(left_spans)) != (j + 1 == len(right_spans)):
                # Only one of them is the last, so the white space that ends the other belongs to what follows it.
                spans = _without_end(left, spans[0]), _without_end(right, spans[1])
            gone, new = _word_changes(left, spans[0], right, spans[1])
            removed |= gone
            added |= new
        for span in left_spans[i1 + pairs : i2]:
            removed |= _marked(left, range(*span), ())
        for span in right_spans[j1 + pairs : j2]:
            added |= _marked(right, range(*span), ())
    return frozenset(removed), frozenset(added)


def are_maps_of_one_shape(one: str, other: str) -> bool:
    """Whether both texts are maps whose lines have the same lengths."""
    if not writing_of(one) == writing_of(other) == "cells":
        return False
    return [len(line) for line in one.split("\n")] == [len(line) for line in other.split("\n")]


def _texts(words: Sequence[str], spans: Sequence[Span]) -> list[str]:
    return ["".join(words[start:end]).strip() for start, end in spans]


def _without_end(words: Sequence[str], span: Span) -> Span:
    """The span without white space at its end."""
    start, end = span
    while end > start and words[end - 1].isspace():
        end -= 1
    return start, end


def _word_changes(left: Sequence[str], a: Span, right: Sequence[str], b: Span) -> tuple[set[int], set[int]]:
    removed: set[int] = set()
    added: set[int] = set()
    ours, theirs = left[a[0] : a[1]], right[b[0] : b[1]]
    if ours == theirs:
        return removed, added
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes():
        if tag != "equal":
            removed |= _marked(left, range(a[0] + i1, a[0] + i2), theirs[j1:j2])
            added |= _marked(right, range(b[0] + j1, b[0] + j2), ours[i1:i2])
    return removed, added


def _marked(words: Sequence[str], changed: range, replaced: Sequence[str]) -> set[int]:
    """The indices to mark of a run of changed tokens: its words; or the white space, if that is all that changed."""
    marked = {i for i in changed if not words[i].isspace()}
    return marked if marked or any(not word.isspace() for word in replaced) else set(changed)


def count_word_errors(truth: str, guess: str) -> int:
    """The number of words of `guess` that are wrong, missing or superfluous; of cells in maps of one shape."""
    missing, extra = changed_tokens(truth, guess)
    if are_maps_of_one_shape(truth, guess):
        return len(missing)
    left, right = tokenize(truth), tokenize(guess)
    return max(sum(left[i].isalnum() for i in missing), sum(right[i].isalnum() for i in extra))


def describe_word_errors(wrong_words: int, truth: str = "") -> str:
    """How far a text that is not exact is off, by its number of wrong words, which may be 0."""
    noun = UNIT[writing_of(truth)]
    return f"{pluralize(wrong_words, noun)} off" if wrong_words else "differs in punctuation or spaces"


def unit_name(text: str) -> str:
    """What a text consists of: words, characters or cells."""
    return f"{UNIT[writing_of(text)]}s"


def word_count(text: str) -> int:
    """The number of words in a text, or of cells in a map."""
    if writing_of(text) == "cells":
        return sum(cell != "\n" for cell in text)
    return sum(word.isalnum() for word in tokenize(text))
