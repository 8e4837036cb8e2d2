"""Whether the studio may read files by their path: only where no other machine can reach it."""

from __future__ import annotations

_is_allowed = False


def allow_local_paths() -> None:
    """Let pages read files and folders by their path, as whoever sees the pages sits at this machine."""
    global _is_allowed
    _is_allowed = True


def are_local_paths_allowed() -> bool:
    """Whether pages may read files and folders by their path."""
    return _is_allowed
