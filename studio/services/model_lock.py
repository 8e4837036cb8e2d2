"""The lock on the models: one user at a time, and low-priority work can tell when someone else is waiting."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

POLL_SECONDS = 0.005  # between two checks for waiting users


class ModelLock:
    """A re-entrant lock that counts how many threads wait for it urgently, in `urgent_waiters`."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._guard = threading.Lock()
        self._thread_state = threading.local()
        self.urgent_waiters = 0

    def __enter__(self) -> None:
        urgent = 0 if getattr(self._thread_state, "low_priority", False) else 1
        with self._guard:
            self.urgent_waiters += urgent
        self._lock.acquire()
        with self._guard:
            self.urgent_waiters -= urgent

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.release()

    @contextmanager
    def low_priority(self) -> Iterator[None]:
        """Within this context, this thread waits for the lock without being counted as urgent."""
        self._thread_state.low_priority = True
        try:
            yield
        finally:
            self._thread_state.low_priority = False
