"""Parse a judge's answer strictly: it must be one JSON object with the requested numbers."""

from __future__ import annotations

import json
import math
import re

THOUGHT = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)
FENCE = re.compile(r"\A```(?:json)?\s*\n(.*?)\n?```\Z", re.DOTALL)


class InvalidAnswerError(Exception):
    """An answer cannot be used. The message is the predicate of a sentence that starts with "the judge's answer"."""


def parse_numbers(text: str, key: str, count: int, low: float, high: float) -> tuple[float, ...]:
    """The `count` numbers under `key` of the JSON object that is the whole answer, each from `low` to `high`.

    A code fence around the object and a `<think>` block before it are allowed, and a single number stands for a list of
    one. Raises InvalidAnswerError for anything else; an incomplete answer does not count.
    """
    text = THOUGHT.sub("", text).strip()
    if fenced := FENCE.match(text):
        text = fenced.group(1)
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidAnswerError("is not one JSON object") from None
    if not isinstance(document, dict) or key not in document:
        raise InvalidAnswerError(f'is not a JSON object with "{key}"')
    numbers = document[key] if isinstance(document[key], list) else [document[key]]
    if len(numbers) != count:
        requested = "1 was" if count == 1 else f"{count} were"
        raise InvalidAnswerError(f'has {len(numbers)} numbers in "{key}" where {requested} requested')
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
            raise InvalidAnswerError(f'has something other than a number in "{key}"')
        if not low <= number <= high:
            raise InvalidAnswerError(f'has a number outside the range {low:g} to {high:g} in "{key}"')
    return tuple(float(number) for number in numbers)
