"""The connection: opened once per thread, in WAL mode, migrated; and SQLite's errors turned into sentences."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from swirl import paths
from swirl.errors import SwirlError

if TYPE_CHECKING:
    from sqlite_utils import Database

BUSY_SECONDS = 10.0


class ThreadConnection(NamedTuple):
    """A connection and what it is good for: this process, and the file that it was opened on."""

    pid: int
    file: tuple[int, int] | None
    db: Database


def utc_timestamp() -> str:
    """The time, as every table stores it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class Store:
    """Reading and writing `home/studio.db`; the tables' own methods are in the classes that build on this one."""

    def __init__(self, home: Path) -> None:
        """Open the database of `home`, creating both if need be. Raises SwirlError if it can't be used."""
        self.home = paths.resolve_home(home)
        self.path = self.home / "studio.db"
        self._local = threading.local()
        # A forked child may neither use nor close its parent's connections, so they are kept here unused.
        self._inherited: list[Database] = []
        with self._readable_errors():
            self._connection()

    @contextmanager
    def _reading(self) -> Iterator[Database]:
        """The connection for queries; each sees the last committed state and waits for no writer."""
        with self._readable_errors():
            yield self._connection()

    @contextmanager
    def _writing(self) -> Iterator[Database]:
        """The connection inside one transaction: all of the block is stored, or none of it."""
        with self._readable_errors():
            db = self._connection()
            # IMMEDIATE waits for its turn here; a later upgrade from reading to writing would fail without waiting.
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.commit()
            except BaseException:
                db.rollback()
                raise

    def _connection(self) -> Database:
        held: ThreadConnection | None = getattr(self._local, "held", None)
        if held and held.pid != os.getpid():
            self._inherited.append(held.db)
        elif held and held.file != self._file_identity():
            held.db.close()
        elif held:
            return held.db
        db = self._open()
        self._local.held = ThreadConnection(os.getpid(), self._file_identity(), db)
        return db

    def _file_identity(self) -> tuple[int, int] | None:
        """Which file is at the path; None if there is none (somebody deleted it under us)."""
        try:
            stat = self.path.stat()
        except FileNotFoundError:
            return None
        return stat.st_dev, stat.st_ino

    def _open(self) -> Database:
        # Imported here because sqlite-utils pulls in pandas where it is installed: 0.4 s that `swirl --help` can spare.
        from sqlite_utils import Database

        connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS)
        try:
            db = Database(connection, execute_plugins=False)
            enable_wal(db)
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute("PRAGMA foreign_keys = ON")
            self._migrate(db)
        except BaseException:
            connection.close()
            raise
        return db

    def _migrate(self, db: Database) -> None:
        """Apply the steps that are missing. Raises SwirlError if a newer program has been here."""
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
        # Two processes may open a new home at once: the second finds nothing left to do when its turn comes.
        db.execute("BEGIN IMMEDIATE")
        try:
            MIGRATIONS.apply(db)
            db.commit()
        except BaseException:
            db.rollback()
            raise

    @contextmanager
    def _readable_errors(self) -> Iterator[None]:
        """Turn the SQLite errors that a user can mend into SwirlErrors; programming errors pass through."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            sentence = self._error_message(error)
            if sentence is None:
                raise
            raise SwirlError(sentence) from error

    def _error_message(self, error: sqlite3.DatabaseError) -> str | None:
        # The low byte is the kind of error; the rest of the extended code says where in SQLite it arose.
        code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return (
                f"The database {self.path} is damaged ({error}); move it away to start a new history, "
                "or put a copy of it back: the runs' folders are untouched."
            )
        full = code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN) and shutil.disk_usage(self.home).free < 1 << 16
        if code == sqlite3.SQLITE_FULL or full:
            return f"The disk that holds {self.path} is full; free some space and try again."
        if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
            return f"The database {self.path} cannot be written ({error}); check its permissions and its disk."
        if code == sqlite3.SQLITE_IOERR:
            return f"The disk that holds {self.path} does not answer as it should ({error}); check it and try again."
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return f"The database {self.path} has been locked by another program for {BUSY_SECONDS:.0f} s; try again."
        return None


def enable_wal(db: Database) -> None:
    """Switch to write-ahead logging. The switch itself does not honour the busy timeout, so it is retried here."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            db.enable_wal()
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
