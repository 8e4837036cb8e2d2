"""Writes folders atomically: a draft is filled beside the target and then renamed into its place."""

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
    """An empty folder beside `target`, removed at the end unless `install_folder` has moved it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    clear_leftovers(target.parent)
    folder = temporary_sibling(target, "new")
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


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


def delete_folder(target: Path) -> None:
    """Delete a folder: it is renamed away at once, then its files are removed."""
    old = temporary_sibling(target, "old")
    os.replace(target, old)
    shutil.rmtree(old, ignore_errors=True)


def temporary_sibling(target: Path, kind: str) -> Path:
    """A name beside `target` that contains this process's id, so that leftovers of killed processes are recognised."""
    return target.with_name(f".{target.name}.{os.getpid()}-{secrets.token_hex(4)}.{kind}")


def clear_leftovers(parent: Path) -> None:
    """Remove what killed processes left behind; move a folder that was set aside back if its place is empty."""
    for folder in parent.glob(".*"):
        match = LEFTOVER.fullmatch(folder.name)
        if not match or psutil.pid_exists(int(match["pid"])):
            continue
        target = parent / match["name"]
        if match["kind"] == "old" and not target.exists():
            os.replace(folder, target)
        else:
            shutil.rmtree(folder, ignore_errors=True)
