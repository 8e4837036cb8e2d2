"""The results that readers yield, and the checks that all formats share."""

from __future__ import annotations

import json
from dataclasses import dataclass

from swirl.states import State, StateSequence

MAX_SEQUENCE_BYTES = 16 * 2**20
"""The longest line that is read and the longest sequence that is stored, in bytes of UTF-8."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that was left out: `where` is `file` or `file:line`, `why` a predicate with the reason and the fix."""

    where: str
    why: str

    def __str__(self) -> str:
        return f"{self.where} {self.why}."


@dataclass(frozen=True, slots=True)
class LocatedSequence:
    """A sequence and the place where it starts, as `file` or `file:line`; its true actions if the format has them."""

    where: str
    sequence: StateSequence
    actions: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """Everything that was yielded before is complete; a reader that is given `position` as its start goes on from here.

    The numbers are the reader's own, such as how many files it has read.
    """

    position: tuple[int, ...]


ReadResult = LocatedSequence | Skipped


class UnusableError(Exception):
    """A record or file cannot be used. The message is a predicate; a caller that knows the place makes it a Skipped."""


def validate_text(value: object, what: str) -> str:
    """Return `value` if it is a text that is not blank and can be stored.

    Raises UnusableError, which calls the value `what`, if it is not.
    """
    if not isinstance(value, str):
        raise UnusableError(f"has {json_type_name(value)} as {what}, which must be text; correct it")
    if not value.strip():
        raise UnusableError(f"has an empty text as {what}; fill it in or remove it")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise UnusableError(f"has half a character ({value[error.start]!a}) in {what}; correct it") from None
    return value


def validate_sequence(identity: object, states: object) -> StateSequence:
    """Build a sequence of two or more texts; a state may be a JSON object.

    Raises UnusableError if the id or the states are not fit for one.
    """
    if isinstance(identity, int) and not isinstance(identity, bool):
        identity = str(identity)
    name = validate_text(identity, "the id")
    if not isinstance(states, list):
        raise UnusableError(f'has {json_type_name(states)} as "states", which must be a list of texts; correct it')
    texts = [validate_text(canonical_text(state), f"state {index}") for index, state in enumerate(states, start=1)]
    if len(texts) < 2:
        raise UnusableError(f"has {len(texts) or 'no'} state{'s' * (not texts)}; a sequence needs two or more")
    if sum(map(len, texts)) > MAX_SEQUENCE_BYTES or sum(len(text.encode()) for text in texts) > MAX_SEQUENCE_BYTES:
        raise UnusableError(f"is longer than {MAX_SEQUENCE_BYTES >> 20} MB; split it into shorter sequences")
    return StateSequence(name, tuple(map(State, texts)))


def canonical_text(state: object) -> object:
    """An object or list as JSON with sorted keys, whose order then is no difference; anything else as it is."""
    return json.dumps(state, ensure_ascii=False, sort_keys=True) if isinstance(state, dict | list) else state


def json_type_name(value: object) -> str:
    """The type of a JSON value in words, such as `a list`."""
    words = {dict: "an object", list: "a list", bool: "true or false", type(None): "null", str: "text"}
    return words.get(type(value), "a number")
