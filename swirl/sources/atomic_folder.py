"""Folders that appear whole or not at all: filled beside their place, then renamed into it."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

LEFTOVER = re.compile(r"\.(?P<name>.+)\.(?P<pid>\d+)-[0-9a-f]+\.(?P<kind>new|old)")


@contextmanager
def draft_folder(target: Path) -> Iterator[Path]:
    """An empty folder beside `target`, removed at the end unless `install` has moved it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    clear_leftovers(target.parent)
    folder = temporary_sibling(target, "new")
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def install_folder(folder: Path, target: Path, register: Callable[[], None]) -> None:
    """Put a filled draft in `target`'s place and call `register`; if either fails, what was there before is back."""
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


def delete_folder(target: Path) -> None:
    """Delete a folder: it is gone from its place at once, its files soon after."""
    old = temporary_sibling(target, "old")
    os.replace(target, old)
    shutil.rmtree(old, ignore_errors=True)


def temporary_sibling(target: Path, kind: str) -> Path:
    """A name beside `target` that says whose it is, so that the leftovers of a killed process can be told."""
    return target.with_name(f".{target.name}.{os.getpid()}-{secrets.token_hex(4)}.{kind}")


def clear_leftovers(parent: Path) -> None:
    """Remove what killed processes left behind; a folder set aside whose place is empty goes back to it."""
    for folder in parent.glob(".*"):
        match = LEFTOVER.fullmatch(folder.name)
        if not match or psutil.pid_exists(int(match["pid"])):
            continue
        target = parent / match["name"]
        if match["kind"] == "old" and not target.exists():
            os.replace(folder, target)
        else:
            shutil.rmtree(folder, ignore_errors=True)
