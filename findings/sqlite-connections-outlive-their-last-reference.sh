#!/usr/bin/env bash
# sqlite-utils 4.2.1 and Python's own sqlite3, Python 3.11 and newer: a database that nothing refers to stays open.
#
# CPython frees an object with its last reference, so one would expect a connection that a function opened to be closed
# when the function returns, or at the latest when its thread has ended. Up to Python 3.10 it is. Since 3.11 each
# sqlite3.Connection and the cache of its statements refer to each other, so that only the cyclic garbage collector
# closes it. Until that happens to run, each connection keeps its file descriptor; one that has lived long enough to
# count as old waits for a full collection, and a program that has turned the collector off never closes any.
# sqlite_utils.Database holds such a connection and behaves likewise.
#
# What helps: `with Database(path) as db`, which closes it. The same `with` around a sqlite3.Connection only commits;
# there it is contextlib.closing(sqlite3.connect(path)).
#
# Output seen, with Python 3.11, 3.12 and 3.13, for 50 threads that have ended, the collector off:
#   sqlite3: 50 open, 0 after gc.collect()
#   sqlite3, closing: 0 open, 0 after gc.collect()
#   sqlite_utils: 50 open, 0 after gc.collect()
#   sqlite_utils, with: 0 open, 0 after gc.collect()
# Fails if that changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q sqlite-utils==4.2.1 psutil==7.2.2
cat > "$folder/open.py" <<'PYTHON'
import contextlib
import gc
import os
import sqlite3
import sys
import threading

import psutil
from sqlite_utils import Database

path = os.path.realpath(sys.argv[1])
with Database(path) as db:
    db["notes"].insert({"text": "A lamp."})


def plain():
    sqlite3.connect(path).execute("select * from notes").fetchall()


def plain_closing():
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("select * from notes").fetchall()


def utils():
    list(Database(path)["notes"].rows)


def utils_with():
    with Database(path) as db:
        list(db["notes"].rows)


def count():
    return sum(file.path == path for file in psutil.Process().open_files())


gc.collect()
gc.disable()
ways = {"sqlite3": plain, "sqlite3, closing": plain_closing, "sqlite_utils": utils, "sqlite_utils, with": utils_with}
for name, way in ways.items():
    for _ in range(50):
        thread = threading.Thread(target=way)
        thread.start()
        thread.join()
    before = count()
    gc.collect()
    print(f"{name}: {before} open, {count()} after gc.collect()")
PYTHON
if "$folder/venv/bin/python" -c 'import sys; sys.exit(sys.version_info >= (3, 11))'; then
    echo "Python before 3.11 closes them at once; nothing to see here"
    exit 0
fi
seen=$("$folder/venv/bin/python" "$folder/open.py" "$folder/notes.db")
echo "$seen"
[ "$seen" = "sqlite3: 50 open, 0 after gc.collect()
sqlite3, closing: 0 open, 0 after gc.collect()
sqlite_utils: 50 open, 0 after gc.collect()
sqlite_utils, with: 0 open, 0 after gc.collect()" ]
