"""What reading yields, and the checks that every format shares."""

from __future__ import annotations

from dataclasses import dataclass

from swirl.states import State, StateSequence

MAX_SEQUENCE_BYTES = 16 * 2**20
"""The longest line that is read and the longest sequence that is kept, in bytes of UTF-8."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something left out: `where` is `file` or `file:line`, `why` the reason and the mend, as its predicate."""

    where: str
    why: str

    def __str__(self) -> str:
        return f"{self.where} {self.why}."


@dataclass(frozen=True, slots=True)
class LocatedSequence:
    """A sequence and the place where it starts."""

    where: str
    sequence: StateSequence


ReadResult = LocatedSequence | Skipped


class UnusableError(Exception):
    """Why one record, or one whole file, can't be used; becomes a Skipped where the place is known."""


def validate_text(value: object, what: str) -> str:
    """`value` if it is a text with something in it that can be stored, else Unusable says what is wrong with `what`."""
    if not isinstance(value, str):
        raise UnusableError(f"has {json_type_name(value)} as {what}, where only text can be; correct it")
    if not value.strip():
        raise UnusableError(f"has an empty text as {what}; fill it in or remove it")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise UnusableError(f"has half a character ({value[error.start]!a}) in {what}; correct it") from None
    return value


def validate_sequence(identity: object, states: object) -> StateSequence:
    """A sequence of two or more texts with an id, else Unusable says what is wrong with it."""
    if isinstance(identity, int) and not isinstance(identity, bool):
        identity = str(identity)
    name = validate_text(identity, "the id")
    if not isinstance(states, list):
        raise UnusableError(f'has {json_type_name(states)} as "states", where a list of texts must be; correct it')
    texts = [validate_text(state, f"state {index}") for index, state in enumerate(states, start=1)]
    if len(texts) < 2:
        raise UnusableError(f"has {len(texts) or 'no'} state{'s' * (not texts)}; a sequence needs two or more")
    if sum(map(len, texts)) > MAX_SEQUENCE_BYTES or sum(len(text.encode()) for text in texts) > MAX_SEQUENCE_BYTES:
        raise UnusableError(f"is longer than {MAX_SEQUENCE_BYTES >> 20} MB; divide it into shorter sequences")
    return StateSequence(name, tuple(map(State, texts)))


def json_type_name(value: object) -> str:
    """A JSON value's type in words."""
    words = {dict: "an object", list: "a list", bool: "true or false", type(None): "null", str: "text"}
    return words.get(type(value), "a number")
