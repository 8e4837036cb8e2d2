"""Errors that the user can fix. Each message is one sentence that says where, what is wrong and how to fix it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class SwirlError(Exception):
    """A problem that the user can fix; the command line prints the message and exits with 1.

    `advised_changes` are the settings, by name, that together let another run succeed, where the message names some.
    """

    def __init__(self, message: str = "", advised_changes: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.advised_changes = dict(advised_changes or {})


class UsageError(SwirlError):
    """A wrong argument or setting; the command line prints the message and exits with 2."""


def first_line(error: BaseException) -> str:
    """The first line of an error's text without its full stop, for a sentence; the error's class if it has no text."""
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__).rstrip(".")
