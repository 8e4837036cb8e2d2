"""Keeps the token ids of states that recur, up to a number of bytes in all.

A limit on the number of states would be none on the memory: a long state has a thousand times as many ids as a short
one, and training draws new states without end.
"""

from __future__ import annotations

import threading
from array import array
from collections import OrderedDict
from collections.abc import Sequence

ENTRY_BYTES = 256
"""What an entry takes beside its key and its ids, about: two objects and their places in a dictionary."""


class TokenCache:
    """Token ids by key; beyond `max_bytes` in all, those used least recently are forgotten.

    The ids that were put last are always known. Threads may share it.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.held_bytes = 0
        self._by_key: OrderedDict[str, array[int]] = OrderedDict()
        self._lock = threading.Lock()

    def __contains__(self, key: str) -> bool:
        return key in self._by_key

    def get(self, key: str) -> list[int] | None:
        """The ids of a key, a new list; None if they are not known."""
        with self._lock:
            ids = self._by_key.get(key)
            if ids is None:
                return None
            self._by_key.move_to_end(key)
            return ids.tolist()

    def put(self, key: str, ids: Sequence[int]) -> None:
        """Keep the ids of a key, and forget others where there are too many."""
        kept = array("i", ids)
        with self._lock:
            self._forget(key)
            self._by_key[key] = kept
            self.held_bytes += entry_bytes(key, kept)
            while self.held_bytes > self.max_bytes and len(self._by_key) > 1:
                self._forget(next(iter(self._by_key)))

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._by_key.clear()
            self.held_bytes = 0

    def _forget(self, key: str) -> None:
        ids = self._by_key.pop(key, None)
        if ids is not None:
            self.held_bytes -= entry_bytes(key, ids)


def entry_bytes(key: str, ids: array[int]) -> int:
    """About how many bytes an entry takes."""
    return ENTRY_BYTES + len(key) + ids.itemsize * len(ids)
