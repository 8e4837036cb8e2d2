"""Words that a forward model takes for others are found, and what the world changes is not taken for that."""

from __future__ import annotations

import random

import pytest

from swirl.evaluation.confused_words import (
    ConfusedWord,
    WordFates,
    align,
    confused_words,
    describe_confusions,
    word_fates,
)

BEFORE = "You are in the hall. The coin is in the box. The apple is on the table."
AFTER = "You are in the cellar. The coin is in the box. The apple is on the table."


def kept(word: str, ours: str | None, times: int = 1) -> list[WordFates]:
    """So many predictions that have `ours` where `word` stays."""
    return [WordFates(((word, ours),))] * times


def test_only_words_that_stay_count_and_each_has_what_was_written_for_it() -> None:
    fates = word_fates(BEFORE, AFTER, "You are in the hall. The apple is in the box. The apple is on the table.")
    assert fates.mixed_up == [("coin", "apple")] and fates.changed == {("hall", "cellar")}
    assert fates.kept_share == pytest.approx(15 / 16)
    assert "hall" not in dict(fates.kept) and "cellar" not in dict(fates.kept)


@pytest.mark.parametrize(
    ("predicted", "share"),
    [(AFTER, 1.0), (BEFORE, 1.0), ("", 0.0), ("You are in the cellar. The coin is in the box.", 10 / 16)],
)
def test_a_lost_word_is_no_confusion(predicted: str, share: float) -> None:
    fates = word_fates(BEFORE, AFTER, predicted)
    assert fates.kept_share == pytest.approx(share)
    assert fates.mixed_up == [] and confused_words([fates] * 20) == []


def test_an_exchange_of_two_words_is_seen() -> None:
    both = "The apple is on the table. The coin is on the table."
    exchanged = word_fates(both, both, "The coin is on the table. The apple is on the table.")
    assert exchanged.mixed_up == [("apple", "coin"), ("coin", "apple")]
    listed = word_fates("you see apple coin key rope", "you see apple coin key rope", "you see coin apple key rope")
    assert listed.mixed_up == [("apple", "coin"), ("coin", "apple")]


def test_a_confusion_needs_places_and_one_other_word() -> None:
    assert confused_words([*kept("coin", "coin", 15), *kept("coin", "apple", 5)]) == [
        ConfusedWord("coin", "apple", 5, 20)
    ]
    assert confused_words([*kept("coin", "coin", 16), *kept("coin", "apple", 4)]) == []  # a fifth of the places
    assert confused_words([*kept("coin", "coin", 3), *kept("coin", "apple", 4)]) is None  # seven places
    many = [fate for other in ("apple", "book", "cup", "key", "rope") for fate in kept("coin", other, 4)]
    assert confused_words(many) == []  # as often one word as any other
    assert confused_words([]) is None and WordFates().kept_share is None


def test_what_the_world_turns_into_each_other_is_not_confused() -> None:
    # A switch that works two times in three, and a model that always expects it to.
    rng, fates = random.Random(0), []
    for _ in range(60):
        lamp = rng.choice(("on", "off"))
        other = "off" if lamp == "on" else "on"
        after = other if rng.random() < 2 / 3 else lamp
        texts = (f"You are in the hall. The lamp is {light}." for light in (lamp, after, other))
        fates.append(word_fates(*texts))
    assert confused_words(fates) == []
    assert confused_words([WordFates(fate.kept) for fate in fates]) != []


def test_the_commonest_confusions_are_told() -> None:
    assert describe_confusions([]) is None
    found = confused_words([*kept("coin", "apple", 9), *kept("apple", "coin", 12), *kept("apple", "apple", 3)]) or []
    assert describe_confusions(found) == (
        "The forward model takes words for others: it writes “coin” in 12 of 15 places where “apple” stays; it writes "
        "“apple” in 9 of 9 places where “coin” stays."
    )
    assert (describe_confusions([found[0]] * 4) or "").endswith("; and so with 1 more word.")
    assert (describe_confusions([found[0]] * 5) or "").endswith("; and so with 2 more words.")


def test_texts_without_words_are_left_out() -> None:
    assert word_fates("####\n#..#\n####", "####\n#.@#\n####", "####\n#..#\n####") == WordFates()


@pytest.mark.parametrize(
    ("first", "second", "places"),
    [
        ("a b c", "a x c", [(0, 0), (1, 1), (2, 2)]),
        ("a b c d", "a c d", [(0, 0), (2, 1), (3, 2)]),
        ("a b c", "a q r s c", [(0, 0), (2, 4)]),
        ("a a", "a a a", [(0, 0), (1, 1)]),
        ("", "a", []),
        ("a b c d", "b c d a", [(1, 0), (2, 1), (3, 2)]),
    ],
)
def test_the_places_that_stand_for_each_other(first: str, second: str, places: list[tuple[int, int]]) -> None:
    assert align(first.split(), second.split()) == places


def test_long_texts_of_unlike_length_are_compared_at_their_ends_only() -> None:
    first = ["same", *(f"a{i}" for i in range(1100)), "end"]
    second = ["same", *(f"b{i}" for i in range(1000)), "end"]
    assert align(first, second) == [(0, 0), (1101, 1001)]
