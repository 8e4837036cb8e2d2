"""What a word is in a text, and which white space says something: the one place that decides it.

Evaluation and the marks on the screen compare texts unit by unit. In prose a unit is a word with the white space before
it. Where a script has no spaces it is a character, and in a map made of characters it is a cell.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

Writing = Literal["words", "characters", "cells"]
WRITING_IN_WORDS: dict[Writing, str] = {
    "characters": "in scripts without spaces by characters",
    "cells": "in maps by cells",
}

WORD = re.compile(r"\s*\S+|\s+")
"""A word with the white space before it; white space at the end of a text counts as a word."""
CHARACTER = re.compile(r"[A-Za-z0-9]+|\s+|.", re.DOTALL)
"""A character of a script without spaces; Latin words and numbers in it stay whole."""
LETTER_RUN = re.compile(r"[^\W\d_]{3,}")
RUN_OF_SPACES = re.compile(r"^[ \t]+|[ \t]{2,}|\n", re.MULTILINE)
# Thai, Lao, Tibetan, Myanmar, Khmer, Japanese syllables, and Chinese characters.
WITHOUT_SPACES = re.compile(
    "[\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\U00020000-\U0003ffff]"
)
JAPANESE, CHINESE = re.compile("[\u3040-\u30ff]"), re.compile("[\u4e00-\u9fff]")
VISIBLE = str.maketrans({" ": "␣", "\n": "⏎", "\t": "⇥"})
MIN_SHARE_WITHOUT_SPACES = 0.3  # of the letters, from which a text counts as written without spaces
MAX_SHARE_IN_WORDS = 0.2  # of the characters of a map that may stand in runs of three letters or more
MIN_EQUAL_LINES = 0.8  # of the lines of a map that are as long as its longest one


@lru_cache(maxsize=1024)  # of texts, which may be long
def writing_of(text: str) -> Writing:
    """How a text is written."""
    if is_map(text):
        return "cells"
    letters = sum(map(str.isalpha, text))
    without = len(WITHOUT_SPACES.findall(text))
    return "characters" if without and without >= MIN_SHARE_WITHOUT_SPACES * letters else "words"


def is_map(text: str) -> bool:
    """Whether a text is a map made of characters: lines of one length, and hardly a word."""
    lines = text.strip("\n").split("\n")
    longest = max(map(len, lines))
    if len(lines) < 3 or longest < 3:
        return False
    equal = sum(len(line) == longest for line in lines)
    in_words = sum(len(run) for run in LETTER_RUN.findall(text))
    return equal >= MIN_EQUAL_LINES * len(lines) and in_words <= MAX_SHARE_IN_WORDS * len(text)


def has_layout(text: str) -> bool:
    """Whether lines or columns say something in a text, so that it must not be reflowed."""
    return bool(RUN_OF_SPACES.search(text))


def split_units(text: str, writing: Writing) -> list[str]:
    """The units of a text; joined again, they are the text."""
    if writing == "words":
        return WORD.findall(text)
    return CHARACTER.findall(text) if writing == "characters" else list(text)


def plain_words(text: str, writing: Writing = "words", *, with_layout: bool = False) -> list[str]:
    """The units of a text in lower case, without punctuation and white space; the cells of a map stay as they are.

    A word consists of letters, digits and the marks that belong to letters, in any script. With `with_layout`, line
    ends, indentation and wide gaps are units, too.
    """
    if writing == "cells":
        return list(text)
    lowered = text.lower()
    if writing == "characters":
        units = [unit for unit in CHARACTER.findall(lowered) if is_in_word(unit[0])]
    else:
        units = "".join(letter if is_in_word(letter) else " " for letter in lowered).split()
    if with_layout:
        pieces = RUN_OF_SPACES.split(lowered)
        runs = [*RUN_OF_SPACES.findall(lowered), ""]
        units = [unit for piece, run in zip(pieces, runs, strict=True) for unit in (*plain_words(piece, writing), run)]
        return [unit for unit in units if unit]
    return units or [letter for letter in lowered if not letter.isspace()]


@lru_cache(maxsize=65_536)
def is_in_word(letter: str) -> bool:
    """Whether a character is a letter, a digit, or a mark that belongs to one."""
    return unicodedata.category(letter)[0] in "LNM"


def show_white_space(text: str, writing: Writing) -> str:
    """The text with the white space that says something as words of its own, for measures that fold white space."""
    if writing == "cells":
        return " ".join(text.translate(VISIBLE))
    return RUN_OF_SPACES.sub(lambda run: f" {run[0].translate(VISIBLE)} ", text)


def describe_writing(texts: Sequence[str]) -> str:
    """A clause on how texts are compared that are not all written in words; empty if all are."""
    found = {writing_of(text) for text in texts}
    return " and ".join(clause for writing, clause in WRITING_IN_WORDS.items() if writing in found)
