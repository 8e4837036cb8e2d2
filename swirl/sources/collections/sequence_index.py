"""Remembers which sequences were imported, with their lengths, in about 25 bytes each: there may be millions."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

RECENT = 65_536
"""How many entries are held as Python objects before they are packed."""
ENTRY = np.dtype([("key", np.uint64), ("length", np.uint32), ("place", np.uint32), ("number", np.uint64)])


class Known(NamedTuple):
    """What is known of a sequence: its number of states and the place where it starts."""

    length: int
    where: str


@dataclass
class SequenceIndex:
    """The imported sequences by id: entries are packed into sorted arrays, of which small ones are merged."""

    count: int = 0
    transitions: int = 0
    _recent: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    _packed: list[np.ndarray] = field(default_factory=list)
    _patterns: dict[tuple[str, str], int] = field(default_factory=dict)

    def add(self, identity: str, length: int, where: str) -> None:
        """Remember a sequence of `length` states that starts at `where`; its id must be new."""
        # `file:17` is kept as the pattern `file:` and the number 17, as most places differ in their number only.
        before, number, after = re.fullmatch(r"(.*?)(\d{0,18})(\D*)", where, re.DOTALL).groups()  # type: ignore[union-attr]
        exact = str(int(number)) == number if number else False
        pattern = (before, after) if exact else (where, "")
        place = self._patterns.setdefault(pattern, len(self._patterns))
        # One more than the number, so that 0 means that there is none.
        self._recent[self._key(identity)] = (length, place, int(number) + 1 if exact else 0)
        self.count += 1
        self.transitions += length - 1
        if len(self._recent) >= RECENT:
            self._pack()

    def find(self, identity: str) -> Known | None:
        """What is known of the sequence with this id; None if there is none."""
        key = self._key(identity)
        found = self._recent.get(key)
        if found is None:
            for packed in self._packed:
                at = int(np.searchsorted(packed["key"], np.uint64(key)))
                if at < len(packed) and int(packed["key"][at]) == key:
                    found = tuple(int(packed[name][at]) for name in ("length", "place", "number"))
                    break
            else:
                return None
        length, place, number = found
        before, after = list(self._patterns)[place]
        return Known(length, f"{before}{number - 1}{after}" if number else before)

    def _pack(self) -> None:
        rows = [(key, *entry) for key, entry in self._recent.items()]
        self._packed.append(np.sort(np.array(rows, dtype=ENTRY), order="key"))
        self._recent = {}
        while len(self._packed) > 1 and len(self._packed[-1]) * 2 >= len(self._packed[-2]):
            small, large = self._packed.pop(), self._packed.pop()
            merged = np.concatenate([large, small])
            self._packed.append(merged[np.argsort(merged["key"], kind="stable")])

    @staticmethod
    def _key(identity: str) -> int:
        return int.from_bytes(hashlib.blake2b(identity.encode(errors="replace"), digest_size=8).digest(), "big")
