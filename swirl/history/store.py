"""The SQLite connection of the history: one per thread, in WAL mode, migrated; with readable error messages."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from swirl import paths
from swirl.errors import SwirlError
from swirl.history.locking import DatabaseLocked, is_locked, patience_seconds, wait_for_lock

if TYPE_CHECKING:
    from sqlite_utils import Database

HISTORY_FILE = "studio.db"
"""The file of a home that holds its history."""
CACHED_KIBIBYTES = 256
"""Of pages that each connection keeps; by default it would be 2 MB for each of a studio's threads, up to 40. The system
keeps the file's pages anyway."""
MACHINE_FILE = "only-on-machine.txt"
"""Names the one machine that may open the history of a home; it is there while a cluster's job trains in it."""


@dataclass(frozen=True, eq=False)
class ThreadConnection:
    """A connection, with the process and the file it was opened for; closed when its thread ends."""

    pid: int
    file: tuple[int, int] | None
    db: Database

    def __post_init__(self) -> None:
        # A Database refers to itself: left to the garbage collector, it would hold open files for hours.
        weakref.finalize(self, close_own, self.db, self.pid).atexit = False


def close_own(db: Database, pid: int) -> None:
    """Close a connection in the process that opened it; a forked child must leave it alone."""
    if pid == os.getpid():
        with suppress(sqlite3.Error):  # another thread than its own must leave it to the garbage collector
            db.close()


def utc_timestamp() -> str:
    """The current time in the format of all tables."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class Store:
    """Opens, reads and writes `home/studio.db`; subclasses add the methods of the tables."""

    def __init__(self, home: Path) -> None:
        """Open the database of `home`, creating both if needed. Raises SwirlError if it cannot be used."""
        self.home = paths.resolve_home(home)
        self.path = self.home / HISTORY_FILE
        self._local = threading.local()
        # A forked child must neither use nor close its parent's connections, so they are only kept here.
        self._inherited: list[Database] = []
        with self._readable_errors():
            self._connection()

    def copy_to(self, file: Path) -> None:
        """Write a copy of the database as it is now, which replaces the file. Raises SwirlError if that fails."""
        draft = file.with_name(f"{file.name}.part")
        draft.unlink(missing_ok=True)
        with self._reading() as db:
            db.execute("VACUUM INTO ?", [str(draft)])
        os.replace(draft, file)

    @contextmanager
    def _reading(self) -> Iterator[Database]:
        """The connection for queries; each query sees the last committed state and never waits for writers."""
        with self._readable_errors():
            yield self._connection()

    @contextmanager
    def _writing(self) -> Iterator[Database]:
        """The connection in one transaction, which a transaction around it includes; see `transaction`."""
        with self._readable_errors():
            db = self._connection()
            if db.conn.in_transaction:
                yield db
                return
            # IMMEDIATE waits for the write lock here; upgrading from reading to writing later would fail at once.
            wait_for_lock(self.path, partial(begin, db))
            try:
                yield db
                db.commit()
            except BaseException:
                db.rollback()
                raise

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything that the block writes is stored completely or not at all."""
        with self._writing():
            yield

    def _connection(self) -> Database:
        current: ThreadConnection | None = getattr(self._local, "connection", None)
        if current and current.pid != os.getpid():
            self._inherited.append(current.db)
        elif current and current.file != self._file_identity():
            current.db.close()
        elif current:
            return current.db
        db = wait_for_lock(self.path, self._open)
        self._local.connection = ThreadConnection(os.getpid(), self._file_identity(), db)
        return db

    def _file_identity(self) -> tuple[int, int] | None:
        """The identity of the file at the path; None if it has been deleted."""
        try:
            stat = self.path.stat()
        except FileNotFoundError:
            return None
        return stat.st_dev, stat.st_ino

    def _require_this_machine(self) -> None:
        """Raise SwirlError if the home is in use on another machine, with which a write-ahead log cannot be shared."""
        file = self.home / MACHINE_FILE
        machine = file.read_text(encoding="utf-8").strip() if file.is_file() else ""
        if machine and machine != socket.gethostname():
            raise SwirlError(
                f"The history of {self.home} is in use on {machine} and cannot be opened from two machines at once; "
                f"wait until that job has ended (if it was killed, delete {file})."
            )

    def _open(self, seconds: float) -> Database:
        self._require_this_machine()
        # Imported here because sqlite-utils imports pandas if installed, which would delay `swirl --help` by 0.4 s.
        from sqlite_utils import Database

        connection = sqlite3.connect(self.path, timeout=seconds)
        try:
            db = Database(connection, execute_plugins=False)
            enable_wal(db, seconds)
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute("PRAGMA foreign_keys = ON")
            db.execute(f"PRAGMA cache_size = -{CACHED_KIBIBYTES}")
            self._migrate(db)
        except BaseException:
            connection.close()
            raise
        return db

    def _migrate(self, db: Database) -> None:
        """Apply the missing migrations. Raises SwirlError if a newer version has written the database."""
        from swirl.history.migrations import (
            MIGRATION_NAMES,
            MIGRATIONS,
        )  # sqlite-utils comes with it, which takes a while

        applied = {step.name for step in MIGRATIONS.applied(db)}
        if unknown := sorted(applied - MIGRATION_NAMES):
            raise SwirlError(
                f"{self.path} was written by a newer SWIRL Studio (it has {unknown[-1]}); "
                "update this one, or choose another home with --home."
            )
        if applied == MIGRATION_NAMES:
            return
        # Two processes may open a new home at once; the second finds nothing left to do.
        db.execute("BEGIN IMMEDIATE")
        try:
            MIGRATIONS.apply(db)
            db.commit()
        except BaseException:
            db.rollback()
            raise

    @contextmanager
    def _readable_errors(self) -> Iterator[None]:
        """Turn SQLite errors that a user can fix into SwirlErrors; programming errors pass through."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            sentence = self._error_message(error)
            if sentence is None:
                raise
            raise (DatabaseLocked if is_locked(error) else SwirlError)(sentence) from error

    def _error_message(self, error: sqlite3.DatabaseError) -> str | None:
        # The low byte is the error; the rest of the extended code gives details.
        code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return (
                f"The database {self.path} is damaged ({error}); move it away to start a new history, "
                "or restore a backup. The folders of the runs are not affected."
            )
        full = code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN) and shutil.disk_usage(self.home).free < 1 << 16
        if code == sqlite3.SQLITE_FULL or full:
            return f"The disk that holds {self.path} is full; free some space and try again."
        if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
            return f"The database {self.path} cannot be written ({error}); check its permissions and its disk."
        if code == sqlite3.SQLITE_IOERR:
            return f"The disk that holds {self.path} reports an error ({error}); check it and try again."
        if is_locked(error):
            seconds = patience_seconds()
            return f"The database {self.path} has been locked by another program for {seconds:.0f} s; try again."
        return None


def equality_condition(**columns: str | None) -> tuple[str, list[str]]:
    """An SQL condition that each given column equals its value, and these values; columns of None are left out."""
    given = {column: value for column, value in columns.items() if value is not None}
    return " AND ".join(["1", *(f"{column} = ?" for column in given)]), list(given.values())


def begin(db: Database, seconds: float) -> None:
    """Begin a transaction that writes; wait so long for others that do."""
    db.execute(f"PRAGMA busy_timeout = {round(1000 * seconds)}")
    db.execute("BEGIN IMMEDIATE")


def enable_wal(db: Database, seconds: float) -> None:
    """Switch to write-ahead logging, with retries because the switch itself ignores the busy timeout."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            db.enable_wal()
            return
        except sqlite3.OperationalError as error:
            if not is_locked(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
