"""Finds the words of texts that a forward model takes for others: it writes one where the other stays as it was.

A word that a step leaves in its place only has to be copied. A model that writes the same other word there again and
again does not tell the two apart. Such pairs bound every score of a model, and a mean over facts hides them: in a world
of six names, one pair lowers the share of facts that are kept by a few points and the exact match by half.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from swirl.text_units import plain_words, writing_of

MIN_PLACES = 8
"""A word is judged only where it stays in at least so many places."""

MIN_SHARE = 0.25
"""A word is confused with another that is written in at least this share of its places."""


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


WordFates = list[tuple[str, str | None]]
"""Words that a step leaves in their place, each with what the prediction has there; None where it has nothing."""


def word_fates(state: str, next_state: str, predicted: str) -> WordFates:
    """What becomes of each word that the state and the observed next state share, in a predicted next state.

    Words are compared without case and punctuation. Empty for texts that are not written in words.
    """
    if writing_of(next_state) != "words":
        return []
    old, new, ours = (plain_words(text) for text in (state, next_state, predicted))
    stays = [j for _, start, size in matching_blocks(old, new) for j in range(start, start + size)]
    found: dict[int, str] = {}
    for tag, new_start, new_end, our_start, our_end in SequenceMatcher(None, new, ours, autojunk=False).get_opcodes():
        if tag == "equal" or (tag == "replace" and new_end - new_start == our_end - our_start):
            found |= zip(range(new_start, new_end), ours[our_start:our_end], strict=True)
    return [(new[j], found.get(j)) for j in stays]


def matching_blocks(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int, int]]:
    """Runs of equal words: where each starts in both texts, and its length."""
    return [tuple(block) for block in SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks()]


def confused_words(fates: Iterable[WordFates]) -> list[ConfusedWord]:
    """The words that are confused with one other word over many predictions, the commonest confusion first."""
    written: dict[str, Counter[str | None]] = defaultdict(Counter)
    for word, ours in (fate for of_one in fates for fate in of_one):
        written[word][ours] += 1
    found = []
    for word, counts in written.items():
        places = counts.total()
        others = [(taken, other) for other, taken in counts.items() if other is not None and other != word]
        if not others or places < MIN_PLACES:
            continue
        taken, other = max(others)
        if taken >= MIN_SHARE * places:
            found.append(ConfusedWord(word, other, taken, places))
    return sorted(found, key=lambda confused: (-confused.taken, confused.word))


def kept_share(fates: WordFates) -> float | None:
    """The share of the words that stay which the prediction keeps; None if none stay."""
    return sum(word == ours for word, ours in fates) / len(fates) if fates else None


def describe_confusions(found: Sequence[ConfusedWord]) -> str | None:
    """A sentence for a report, on the three commonest confusions; None if there are none."""
    if not found:
        return None
    listed = "; ".join(confused.sentence for confused in found[:3])
    more = f"; and {len(found) - 3} more such pairs" if len(found) > 3 else ""
    return f"The forward model takes words for others: it {listed}{more}."
