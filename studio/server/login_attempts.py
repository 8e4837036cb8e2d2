"""Counts wrong passwords, so that nobody can try very many."""

from __future__ import annotations

import math
import time
from collections import OrderedDict

FREE_ATTEMPTS = 5
"""Wrong passwords in a row after which an address has to wait."""
WAIT_SECONDS = 30.0
MAX_ADDRESSES = 10_000  # remembered at a time; beyond that, the one that tried longest ago is forgotten


class LoginAttempts:
    """The wrong passwords in a row from each address; each one after FREE_ATTEMPTS costs WAIT_SECONDS."""

    def __init__(self) -> None:
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def seconds_to_wait(self, address: str) -> int:
        """How long the address has to wait before it may try again; 0 if it may."""
        count, last = self._wrong.get(address, (0, 0.0))
        return 0 if count < FREE_ATTEMPTS else max(0, math.ceil(last + WAIT_SECONDS - time.monotonic()))

    def note(self, address: str, *, succeeded: bool) -> None:
        """Note the outcome of an attempt."""
        count, _ = self._wrong.pop(address, (0, 0.0))
        if not succeeded:
            self._wrong[address] = (count + 1, time.monotonic())
        while len(self._wrong) > MAX_ADDRESSES:
            self._wrong.popitem(last=False)
