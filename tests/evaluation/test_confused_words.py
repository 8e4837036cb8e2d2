"""Words that a forward model takes for others are found, and what the action changes is not taken for that."""

from __future__ import annotations

import pytest

from swirl.evaluation.confused_words import (
    ConfusedWord,
    confused_words,
    describe_confusions,
    kept_share,
    word_fates,
)

BEFORE = "You are in the hall. The coin is in the box. The apple is on the table."
AFTER = "You are in the cellar. The coin is in the box. The apple is on the table."


def test_only_words_that_stay_count_and_each_has_what_was_written_for_it() -> None:
    fates = word_fates(BEFORE, AFTER, "You are in the hall. The apple is in the box. The apple is on the table.")
    assert ("coin", "apple") in fates and ("apple", "apple") in fates
    assert "hall" not in dict(fates) and "cellar" not in dict(fates)
    assert kept_share(fates) == pytest.approx((len(fates) - 1) / len(fates))
    assert [word for word, ours in fates if word != ours] == ["coin"]


@pytest.mark.parametrize(
    ("predicted", "kept"),
    [(AFTER, 1.0), (BEFORE, 1.0), ("", 0.0), ("You are in the cellar. The coin is in the box.", 10 / 16)],
)
def test_a_lost_word_is_no_confusion(predicted: str, kept: float) -> None:
    fates = word_fates(BEFORE, AFTER, predicted)
    assert kept_share(fates) == pytest.approx(kept)
    assert {ours for word, ours in fates if word != ours} <= {None}
    assert confused_words([fates] * 20) == []


def test_a_confusion_needs_places_and_one_other_word() -> None:
    right, wrong = [("coin", "coin")], [("coin", "apple")]
    assert confused_words([right] * 15 + [wrong] * 5) == [ConfusedWord("coin", "apple", 5, 20)]
    assert confused_words([right] * 16 + [wrong] * 4) == []  # a fifth of the places
    assert confused_words([right] * 3 + [wrong] * 4) == []  # seven places
    many = [[("coin", other)] for other in ("apple", "book", "cup", "key", "rope")] * 4
    assert confused_words(many) == []  # as often one word as any other
    assert confused_words([]) == [] and kept_share([]) is None


def test_the_commonest_confusions_are_told() -> None:
    assert describe_confusions([]) is None
    found = confused_words([[("coin", "apple")]] * 9 + [[("apple", "coin")]] * 12 + [[("apple", "apple")]] * 3)
    assert describe_confusions(found) == (
        "The forward model takes words for others: it writes “coin” in 12 of 15 places where “apple” stays; writes "
        "“apple” in 9 of 9 places where “coin” stays."
    )
    assert (describe_confusions([found[0]] * 5) or "").endswith("; and 2 more such pairs.")


def test_texts_without_words_are_left_out() -> None:
    assert word_fates("####\n#..#\n####", "####\n#.@#\n####", "####\n#..#\n####") == []
