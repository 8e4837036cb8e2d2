"""Who may work with a model: one at a time, and what nobody waits for makes way for what somebody does."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

POLL_SECONDS = 0.005  # seconds between two looks at whether somebody waits


class ModelLock:
    """A lock, which its holder may take again, that knows how many wait for it in haste."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._guard = threading.Lock()
        self._thread_state = threading.local()
        self.urgent_waiters = 0

    def __enter__(self) -> None:
        haste = 0 if getattr(self._thread_state, "leisure", False) else 1
        with self._guard:
            self.urgent_waiters += haste
        self._lock.acquire()
        with self._guard:
            self.urgent_waiters -= haste

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.release()

    @contextmanager
    def low_priority(self) -> Iterator[None]:
        """What this thread takes meanwhile, it takes without haste."""
        self._thread_state.leisure = True
        try:
            yield
        finally:
            self._thread_state.leisure = False
