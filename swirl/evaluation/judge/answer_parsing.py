"""Reading a judge's answer, strictly: one JSON object with the numbers that were asked for, or none at all."""

from __future__ import annotations

import json
import math
import re

THOUGHT = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)
FENCE = re.compile(r"\A```(?:json)?\s*\n(.*?)\n?```\Z", re.DOTALL)


class InvalidAnswerError(Exception):
    """Why an answer cannot be used, as the predicate of "the judge's answer"."""


def parse_numbers(text: str, key: str, count: int, low: float, high: float) -> tuple[float, ...]:
    """The `count` numbers under `key` of the JSON object that is the whole answer, each from `low` to `high`.

    A code fence around the object and a `<think>` block before it are allowed, and a lone number stands for a list of
    one. Raises Nonsense for anything else: half an answer is none.
    """
    text = THOUGHT.sub("", text).strip()
    if fenced := FENCE.match(text):
        text = fenced.group(1)
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidAnswerError("is not one JSON object") from None
    if not isinstance(document, dict) or key not in document:
        raise InvalidAnswerError(f'is no JSON object with "{key}"')
    found = document[key] if isinstance(document[key], list) else [document[key]]
    if len(found) != count:
        raise InvalidAnswerError(f'has {len(found)} numbers as "{key}" where {count} were asked for')
    for number in found:
        if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
            raise InvalidAnswerError(f'has something else than a number as "{key}"')
        if not low <= number <= high:
            raise InvalidAnswerError(f'has a number outside {low:g} to {high:g} as "{key}"')
    return tuple(float(number) for number in found)
