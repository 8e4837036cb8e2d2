"""Tests of finding and marking the words in which two texts differ."""

from __future__ import annotations

import re

import pytest

from studio.components.shared.text_difference import highlight_tokens, opening
from studio.view_models.text_difference import (
    changed_tokens,
    count_word_errors,
    describe_word_errors,
    sentence_spans,
    tokenize,
    word_count,
)

BEFORE = "you are in hall. cup in hall, lying. lamp lit."
AFTER = "you are in attic. cup in hall, held. lamp lit."


def words(text: str, indices: frozenset[int]) -> list[str]:
    return [tokenize(text)[i] for i in sorted(indices)]


def plain(html: str) -> str:
    return re.sub(r"<[^>]+>", "", html)


def test_joined_tokens_give_the_text() -> None:
    text = "Line one.\n    Two:  3.5 kg!\r\n\n\t x  "
    assert "".join(tokenize(text)) == text
    assert tokenize("a\n    b") == ["a", "\n", "    ", "b"]


def test_sentences_cover_every_token_and_keep_numbers_whole() -> None:
    words_ = tokenize("It weighs 3.5 kg. Done!\nnew line")
    spans = sentence_spans(words_)
    assert ["".join(words_[a:b]).strip() for a, b in spans] == ["It weighs 3.5 kg.", "Done!", "new line"]
    assert [a for a, _ in spans[1:]] == [b for _, b in spans[:-1]]


def test_only_the_changed_words_are_found() -> None:
    removed, added = changed_tokens(BEFORE, AFTER)
    assert words(BEFORE, removed) == ["hall", "lying"]
    assert words(AFTER, added) == ["attic", "held"]


def test_a_new_sentence_is_marked_whole_and_leaves_its_neighbours_alone() -> None:
    removed, added = changed_tokens("a cup. a lamp.", "a cup. a red key. a lamp.")
    assert removed == frozenset()
    assert words("a cup. a red key. a lamp.", added) == ["a", "red", "key", "."]


@pytest.mark.parametrize(("one", "two"), [("", ""), ("same. text.", "same. text."), ("a \n", "a \n")])
def test_no_change_marks_nothing(one: str, two: str) -> None:
    assert changed_tokens(one, two) == (frozenset(), frozenset())


@pytest.mark.parametrize(
    ("before", "after", "removed", "added"),
    [
        ("a b", "a  b", [" "], ["  "]),
        ("#@  #\n#   #", "# @ #\n#   #", ["  "], [" ", " "]),
        ("if x:\n    y\n", "if x:\n        y\n", ["    "], ["        "]),
        ("x\n", "x", ["\n"], []),
        ("x", "  x", [], ["  "]),
        ("x\n\ny", "x\ny", ["\n\n"], ["\n"]),
        ("x\r\ny", "x\ny", ["\r\n"], ["\n"]),
        ("x", "x\n\n", [], ["\n\n"]),
    ],
)
def test_white_space_is_marked_where_nothing_else_changed(
    before: str, after: str, removed: list[str], added: list[str]
) -> None:
    gone, new = changed_tokens(before, after)
    assert (words(before, gone), words(after, new)) == (removed, added)


@pytest.mark.parametrize(
    ("before", "after", "removed", "added"),
    [
        ("a key", "a red key", [], ["red"]),
        ("a cup. a key.", "a key. a cup.", ["a", "key", "."], ["a", "key", "."]),
        ("line one\nline two", "line one\nline two\nline three", [], ["line", "three"]),
    ],
)
def test_white_space_beside_a_changed_word_is_not_marked(
    before: str, after: str, removed: list[str], added: list[str]
) -> None:
    gone, new = changed_tokens(before, after)
    assert (words(before, gone), words(after, new)) == (removed, added)


def test_marked_white_space_can_be_seen() -> None:
    before, after = "#@  #\nend", "# @ #\nend\n"
    html = highlight_tokens(after, {"ins forward": changed_tokens(before, after)[1]})
    assert '#<ins class="forward space"> </ins>@' in html
    assert '<ins class="forward space line-end">\n</ins>' in html


def test_marked_shows_changed_sentences_and_hides_the_rest() -> None:
    html = highlight_tokens(AFTER, {"ins": changed_tokens(BEFORE, AFTER)[1]})
    assert "<ins>attic</ins>" in html and "<ins>held</ins>" in html
    assert '<span class="same">lamp lit.</span>' in html
    assert plain(html).replace("… ", "") == AFTER


def test_marked_joins_neighbouring_words_and_lets_later_marks_win() -> None:
    text = "one two three"
    assert "<ins>one two</ins> three" in highlight_tokens(text, {"ins": {0, 2}})
    assert '<ins class="wrong">one</ins>' in highlight_tokens(text, {"ins": {0}, "ins wrong": {0}})


def test_marked_says_when_nothing_changed() -> None:
    assert "nothing changed" in highlight_tokens(BEFORE, {"ins": frozenset()})


def test_states_cannot_write_html() -> None:
    html = highlight_tokens("<b>x</b> & y.", {"ins": {1}}) + opening("<script>alert(1)</script>")
    assert "<b>" not in html and "<script>" not in html


def test_opening_says_that_there_is_more() -> None:
    assert plain(opening(BEFORE, 2)) == "you are in hall. cup in hall, lying. …"
    assert plain(opening(BEFORE, 3)) == BEFORE
    assert plain(opening("")) == ""
    assert plain(opening("  indented\n")) == "  indented\n"


def test_a_text_without_a_wrong_word_differs_in_spaces() -> None:
    assert count_word_errors("#@ #", "# @#") == 0
    assert describe_word_errors(0) == "differs in punctuation or spaces"
    assert describe_word_errors(2).split() == ["2", "words", "off"]


def test_words_off_counts_wrong_missing_and_extra_words() -> None:
    assert count_word_errors(BEFORE, BEFORE) == 0
    assert count_word_errors(BEFORE, AFTER) == 2
    assert count_word_errors("a cup.", "a cup. a lamp.") == count_word_errors("a cup. a lamp.", "a cup.") == 2
    assert word_count(BEFORE) == 10


MAP = "#####\n#@  #\n#   #\n#####"
MOVED = "#####\n# @ #\n#   #\n#####"


def test_maps_are_compared_by_line_and_cell() -> None:
    removed, added = changed_tokens(MAP, MOVED)
    assert removed == added == {7, 8}
    html = highlight_tokens(MOVED, {"ins": added})
    assert "<ins> @</ins>" in html and "layout" in html
    assert 'class="same"' not in html, "the map is shown whole"
    assert plain(html) == MOVED
    apart = changed_tokens(MAP, "#####\n#   #\n#  @#\n#####")[1]
    html = highlight_tokens("#####\n#   #\n#  @#\n#####", {"ins": apart})
    assert html.count("<ins") == 2, "cells between two changes are not marked"
    assert count_word_errors(MAP, MOVED) == 2 and word_count(MAP) == 20
    assert describe_word_errors(2, MAP).split() == ["2", "cells", "off"]


def test_scripts_without_spaces_are_compared_by_character() -> None:
    before, after = "你在厨房。桌上有苹果。", "你在走廊。桌上有苹果。"
    removed, added = changed_tokens(before, after)
    assert [tokenize(before)[i] for i in sorted(removed)] == ["厨", "房"]
    assert [tokenize(after)[i] for i in sorted(added)] == ["走", "廊"]
    assert count_word_errors(before, after) == 2 and word_count(before) == 9
    assert describe_word_errors(2, after).split() == ["2", "characters", "off"]
    html = highlight_tokens(after, {"ins": added})
    assert '<span class="same">桌上有苹果。</span>' in html, "unchanged sentences are folded away"


def test_lines_and_columns_are_never_reflowed() -> None:
    for text in (MAP, "if x:\n    go()", "a   b"):
        assert "state-text layout" in opening(text) and "layout" in highlight_tokens(text, {"ins": set()})
    assert "layout" not in opening("one line of prose.")
