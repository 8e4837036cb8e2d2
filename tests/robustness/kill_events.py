"""The instants at which a process can be killed: before each change it makes to files, and around each commit."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from killed_training import nothing, wrap

CHANGES = {"os.rename": 1, "os.remove": 0, "os.mkdir": 0, "os.rmdir": 0, "os.link": 1, "os.truncate": 0}
"""What Python announces to audit hooks before it changes the file system, and which argument is the changed path."""
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
COMMIT = "sqlite_utils:Database.commit"

_passed: list[str] = []


def watch_events(folder: Path, functions: tuple[str, ...], kill_at: int | None, record: Path | None) -> None:
    """Count the events of this process from here on, and kill it at one of them.

    An event is a change of a file below `folder`, announced before it happens, a commit of the database, or a call of
    one of `functions`, `module:name`. The process dies at the event number `kill_at`, the first being 0. The names of
    all events are written to `record`.
    """

    def happens(what: str) -> None:
        if len(_passed) == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        _passed.append(what)
        if record is not None:
            os.write(file, f"{what}\n".encode())

    file = os.open(record, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) if record is not None else -1
    sys.addaudithook(lambda event, arguments: announce(event, arguments, folder, happens))
    for function in functions:
        name = function.partition(":")[2]
        wrap(function, lambda name=name: happens(f"{name} begins"), nothing)
    wrap(COMMIT, lambda: happens("before a commit"), lambda: happens("after a commit"))


def announce(event: str, arguments: tuple[Any, ...], folder: Path, happens: Callable[[str], None]) -> None:
    """Call `happens` if Python is about to change something below the folder."""
    if event == "open":
        path, _, flags = arguments
        if not isinstance(flags, int) or not flags & WRITES:
            return
    elif event in CHANGES:
        path = arguments[CHANGES[event]]
    else:
        return
    if isinstance(path, int):
        return  # a file that is open already
    place = Path(os.fsdecode(path))
    if event == "os.mkdir" and place.is_dir():
        return  # it is there already
    # shutil.rmtree names files relative to the folder that it has open.
    if place.is_absolute() and not place.is_relative_to(folder):
        return
    happens(f"{event} {'/'.join(place.parts[-2:])}")
