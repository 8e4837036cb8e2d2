"""Writes folders and files atomically: a draft is filled beside the target and then renamed into its place."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from swirl import processes

LEFTOVER = re.compile(
    r"\.(?P<name>.+)\.(?P<pid>\d+)-(?:(?P<start>\d+)-)?[0-9a-f]+\.(?P<kind>new|old|deleted)", re.DOTALL
)
"""The name of a draft, of a folder that a draft replaces, or of one that is being deleted; see `temporary_sibling`."""
STARTS_PER_SECOND = 100
"""The precision of a process's start in such a name."""
MOVES_FILE = "moves.json"
"""Lies in a draft while its files are moved out of it; names them with what tells them from other files."""


@contextmanager
def draft_folder(target: Path) -> Iterator[Path]:
    """An empty folder beside `target`, removed at the end unless `install_folder` has moved it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    clear_leftovers(target.parent)
    folder = temporary_sibling(target, "new")
    folder.mkdir()
    try:
        yield folder
    finally:
        remove_draft(folder)


def install_folder(folder: Path, target: Path, register: Callable[[], None]) -> None:
    """Move a filled draft to `target` and call `register`. If either fails, the previous `target` is restored."""
    old = temporary_sibling(target, "old")
    if target.exists():
        os.replace(target, old)
    try:
        os.replace(folder, target)
        register()
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        if old.exists():
            os.replace(old, target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def move_out(folder: Path, targets: Sequence[Path]) -> None:
    """Move the files of a draft that are named like the targets, which lie beside it, to them, in this order.

    A process that is killed meanwhile has moved only some; `clear_leftovers` takes those back.
    """
    if len(targets) > 1:
        identities = {target.name: file_identity(folder / target.name) for target in targets}
        (folder / MOVES_FILE).write_text(json.dumps(identities), encoding="utf-8")
    for target in targets:
        os.replace(folder / target.name, target)


def delete_folder(target: Path) -> None:
    """Delete a folder: it is renamed away at once, then its files are removed."""
    deleted = temporary_sibling(target, "deleted")
    os.replace(target, deleted)
    shutil.rmtree(deleted, ignore_errors=True)


def temporary_sibling(target: Path, kind: str) -> Path:
    """A name beside `target` that contains this process's id and start, by which leftovers of killed ones are known."""
    pid, start = processes.current_process()
    mark = f"{pid}-{round(start * STARTS_PER_SECOND)}-{secrets.token_hex(4)}"
    # Only what was set aside is moved back to its name; other long names are cut, as systems allow 255 bytes.
    name = target.name if kind == "old" else target.name[:40]
    return target.with_name(f".{name}.{mark}.{kind}")


def clear_leftovers(parent: Path) -> None:
    """Remove what killed processes left behind; move a folder that was set aside back if its place is empty."""
    for folder in parent.glob(".*"):
        match = LEFTOVER.fullmatch(folder.name)
        if not match or is_alive(match["pid"], match["start"]):
            continue
        target = parent / match["name"]
        # Another process may do the same; and what cannot be changed is left to the next one.
        with suppress(OSError):
            if match["kind"] == "old" and not target.exists():
                os.replace(folder, target)
            else:
                remove_draft(folder)


def is_alive(pid: str, start: str | None) -> bool:
    """Whether the process named in a leftover still works on it. Earlier versions did not name its start."""
    if start is None:
        return psutil.pid_exists(int(pid))
    return processes.find_process(int(pid), int(start) / STARTS_PER_SECOND) is not None


def remove_draft(folder: Path) -> None:
    """Remove a draft, and take back what was moved out of it if not all was."""
    moves = folder / MOVES_FILE
    if moves.is_file():
        with suppress(OSError, ValueError):
            identities = json.loads(moves.read_text(encoding="utf-8"))
            moved = [folder.parent / name for name in identities if not (folder / name).exists()]
            if len(moved) < len(identities):
                for file in moved:
                    if file.is_file() and file_identity(file) == identities[file.name]:
                        file.unlink()
    shutil.rmtree(folder, ignore_errors=True)


def file_identity(file: Path) -> list[int]:
    """What stays the same when a file is moved, and differs from any other file there may be in its place later."""
    stat = file.stat()
    return [stat.st_ino, stat.st_size, stat.st_mtime_ns]
