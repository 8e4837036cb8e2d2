"""What a word is: in prose, in scripts without spaces, in maps of characters, and with layout."""

from __future__ import annotations

import pytest

from swirl.text_units import describe_writing, has_layout, plain_words, show_white_space, split_units, writing_of

MAP = "#########\n#@      #\n#       #\n#########"
CODE = "def f(x):\n    if x:\n        return x\n"


@pytest.mark.parametrize(
    ("text", "writing"),
    [
        ("You are in the kitchen.", "words"),
        ("Вы на кухне. Дверь закрыта.", "words"),
        ("문이 닫혀 있습니다.", "words"),
        ("رفتن به آشپزخانه", "words"),
        ("你在厨房。桌上有苹果。", "characters"),
        ("台所にいます。りんご 2 個", "characters"),
        ("ประตูปิดอยู่", "characters"),
        ("The word 你好 means hello in that language.", "words"),
        (MAP, "cells"),
        (MAP + "\n", "cells"),
        (CODE, "words"),
        ("a b\nc d", "words"),
        ("apples 3\npears  2\nplums  9", "words"),
        ("", "words"),
    ],
)
def test_how_a_text_is_written(text: str, writing: str) -> None:
    assert writing_of(text) == writing
    assert "".join(split_units(text, writing)) == text


def test_plain_words_of_any_script() -> None:
    assert plain_words("Don't go_there, Ёлка!") == ["don", "t", "go", "there", "ёлка"]
    assert plain_words("हिन्दी में") == ["हिन्दी", "में"], "marks belong to their letters"
    assert plain_words("桌上有 GPU 12。", "characters") == ["桌", "上", "有", "gpu", "12"]
    assert plain_words("### !") == ["#", "#", "#", "!"], "what has no words is compared by its signs"
    assert plain_words(MAP, "cells") == list(MAP)
    assert plain_words("if x:\n    return", with_layout=True) == ["if", "x", "\n", "    ", "return"]


def test_white_space_that_says_something_is_seen() -> None:
    assert [has_layout(text) for text in ("a b", "a  b", " a", "a\nb", MAP, "a ")] == [
        False,
        True,
        True,
        True,
        True,
        False,
    ]
    assert show_white_space("a  b\n  c", "words") == "a ␣␣ b ⏎  ␣␣ c"
    assert show_white_space("# \n", "cells") == "# ␣ ⏎"


def test_the_report_names_what_is_not_compared_by_words() -> None:
    assert describe_writing(["prose only", "and more"]) == ""
    assert describe_writing(["你在厨房。", MAP, "prose"]) == (
        "in scripts without spaces by characters and in maps by cells"
    )
