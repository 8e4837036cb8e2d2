"""Finds the words of texts that a forward model takes for others: it writes one where the other stays as it was.

A word that a step leaves in its place only has to be copied. A model that writes the same other word there again and
again does not tell the two apart, unless the world itself turns one into the other: then it may have misjudged what the
action does. Such pairs bound every score of a model, and a mean over facts hides them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from swirl.text_units import plain_words, writing_of

MIN_PLACES = 8
"""A word is judged only where it stays in at least so many places."""

MIN_SHARE = 0.25
"""A word is confused with another that is written in at least this share of its places."""

MIN_KEPT = 0.95
"""The share of the words that stay from which a model that confuses none is said to tell them apart."""

MAX_COMPARED = 1_000_000
"""The most pairs of words that are compared to align two texts of unlike length; difflib takes a second for them."""


@dataclass(frozen=True, slots=True)
class ConfusedWord:
    """A word that stays in `places` places, in `taken` of which the model writes the word `other`."""

    word: str
    other: str
    taken: int
    places: int

    @property
    def share(self) -> float:
        """The share of the places, 0 to 1."""
        return self.taken / self.places

    @property
    def sentence(self) -> str:
        """The finding in words, without an end mark."""
        return f"writes “{self.other}” in {self.taken} of {self.places} places where “{self.word}” stays"


@dataclass(frozen=True, slots=True)
class WordFates:
    """What one prediction does with the words of a step.

    `kept` lists the words that the step leaves in their place, each with what the prediction has there; None where it
    has nothing. `changed` are the words that the step turns into others: pairs (before, after).
    """

    kept: tuple[tuple[str, str | None], ...] = ()
    changed: frozenset[tuple[str, str]] = frozenset()

    @property
    def kept_share(self) -> float | None:
        """The share of the words that stay which the prediction keeps; None if none stay."""
        return sum(word == ours for word, ours in self.kept) / len(self.kept) if self.kept else None

    @property
    def mixed_up(self) -> list[tuple[str, str]]:
        """The words that stay and have another in their place."""
        return [(word, ours) for word, ours in self.kept if ours is not None and ours != word]


def word_fates(state: str, next_state: str, predicted: str) -> WordFates:
    """What a predicted next state does with the words of a step from `state` to the observed `next_state`.

    Words are compared without case and punctuation. Empty for texts that are not written in words.
    """
    if writing_of(next_state) != "words":
        return WordFates()
    old, new, ours = (plain_words(text) for text in (state, next_state, predicted))
    step, found = align(old, new), dict(align(new, ours))
    kept = tuple((new[j], ours[found[j]] if j in found else None) for i, j in step if old[i] == new[j])
    return WordFates(kept, frozenset((old[i], new[j]) for i, j in step if old[i] != new[j]))


def align(first: Sequence[str], second: Sequence[str]) -> list[tuple[int, int]]:
    """The places of two texts that stand for each other: equal words, and words replaced one for one.

    Texts of one length that are alike in most places are compared place by place, since difflib takes an exchange of
    two words for a deletion and an insertion. What two texts have in common at their start and end is never compared.
    """
    if len(first) == len(second) and 2 * sum(map(str.__eq__, first, second)) >= len(first):
        return [(i, i) for i in range(len(first))]
    shorter = min(len(first), len(second))
    start = next((i for i in range(shorter) if first[i] != second[i]), shorter)
    end = next((i for i in range(shorter - start) if first[-1 - i] != second[-1 - i]), shorter - start)
    places = [(i, i) for i in range(start)]
    places += [(len(first) - 1 - i, len(second) - 1 - i) for i in reversed(range(end))]
    middle = first[start : len(first) - end], second[start : len(second) - end]
    if len(middle[0]) * len(middle[1]) > MAX_COMPARED:
        return places
    for tag, left, left_end, right, right_end in SequenceMatcher(None, *middle, autojunk=False).get_opcodes():
        if tag == "equal" or (tag == "replace" and left_end - left == right_end - right):
            places += zip(range(start + left, start + left_end), range(start + right, start + right_end), strict=True)
    return sorted(places)


def confused_words(fates: Collection[WordFates]) -> list[ConfusedWord] | None:
    """The words that are confused with one other word over many predictions, the commonest confusion first.

    None if no word stays in enough places to be judged. Words that a step turns into each other are not confused.
    """
    written: dict[str, Counter[str | None]] = defaultdict(Counter)
    for word, ours in (pair for one in fates for pair in one.kept):
        written[word][ours] += 1
    judged = {word: counts for word, counts in written.items() if counts.total() >= MIN_PLACES}
    if not judged:
        return None
    changed = {pair for one in fates for pair in one.changed}
    changed |= {(after, before) for before, after in changed}
    found = []
    for word, counts in judged.items():
        others = [
            (taken, other)
            for other, taken in counts.items()
            if other is not None and other != word and (word, other) not in changed
        ]
        taken, other = max(others, default=(0, ""))
        if taken >= MIN_SHARE * counts.total():
            found.append(ConfusedWord(word, other, taken, counts.total()))
    return sorted(found, key=lambda confused: (-confused.taken, confused.word))


def describe_confusions(found: Sequence[ConfusedWord]) -> str | None:
    """A sentence for a report, on the three commonest confusions; None if there are none."""
    if not found:
        return None
    listed = "; ".join(f"it {confused.sentence}" for confused in found[:3])
    left = len(found) - 3
    more = f"; and so with {left} more {'word' if left == 1 else 'words'}" if left > 0 else ""
    return f"The forward model takes words for others: {listed}{more}."
