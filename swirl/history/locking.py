"""How long a thread waits for a database that another program has locked: ten seconds, or minutes where it trains."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TypeVar

from swirl.errors import SwirlError

BUSY_SECONDS = 10.0
"""How long a page or a command waits."""
TRAINING_BUSY_SECONDS = 120.0
"""How long training waits: a backup, or a look into the file with another program, must not end a run of hours."""
RETRY_SECONDS = 0.5

T = TypeVar("T")
log = logging.getLogger("swirl")
_patience: ContextVar[float | None] = ContextVar("patience", default=None)


class DatabaseLocked(SwirlError):
    """Another program has locked the database for longer than this thread waits."""


def patience_seconds() -> float:
    """How long this thread waits for a locked database."""
    seconds = _patience.get()
    return BUSY_SECONDS if seconds is None else seconds


@contextmanager
def patience(seconds: float) -> Iterator[None]:
    """Inside the block, this thread waits so long for a locked database."""
    token = _patience.set(seconds)
    try:
        yield
    finally:
        _patience.reset(token)


def is_locked(error: sqlite3.DatabaseError) -> bool:
    """Whether SQLite failed because another connection holds a lock."""
    # The low byte is the error; the rest of the extended code gives details.
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def wait_for_lock(path: Path, use: Callable[[float], T]) -> T:
    """What `use` returns, which waits for a lock for as many seconds as it is given.

    It is called again, with a line in the log, until it succeeds or this thread's patience is at an end; then its
    error passes through.
    """
    deadline = time.monotonic() + patience_seconds()
    while True:
        left = max(0.0, deadline - time.monotonic())
        try:
            return use(min(left, BUSY_SECONDS))
        except sqlite3.OperationalError as error:
            if not is_locked(error) or left <= BUSY_SECONDS:
                raise
            log.warning("%s is locked by another program; waiting for it, up to %.0f s more.", path, left)


def retry_while_locked(work: Callable[[], T]) -> T:
    """What `work` returns, called until no other program locks the database, for TRAINING_BUSY_SECONDS at most.

    For work that itself holds a lock which others wait for: nothing is held between two calls. Raises DatabaseLocked.
    """
    deadline = time.monotonic() + TRAINING_BUSY_SECONDS
    while True:
        try:
            return work()
        except DatabaseLocked as error:
            if time.monotonic() >= deadline:
                raise
            log.warning("%s Waiting for it.", str(error).removesuffix("; try again.") + ".")
            time.sleep(RETRY_SECONDS)
