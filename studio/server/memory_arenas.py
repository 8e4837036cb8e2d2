"""Limits the arenas of glibc's allocator, each of which keeps what its threads once needed at the same time.

glibc gives threads arenas of their own, up to eight a core. A page's answer is computed in one thread of many, so
every arena in turn grows to the size of the largest answer. Python computes in one thread at a time anyway, so two
arenas do; docs/lab-notes.md has the figures of a long day.
"""

from __future__ import annotations

import ctypes
import os

MAX_ARENAS = 2
M_ARENA_MAX = -8
"""The number of glibc's option, from malloc.h."""


def limit_memory_arenas() -> None:
    """Let no more than MAX_ARENAS be made from now on; nothing where the C library has no such option.

    MALLOC_ARENA_MAX, glibc's own variable, takes precedence.
    """
    if os.name != "posix" or "MALLOC_ARENA_MAX" in os.environ:
        return
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        set_option(M_ARENA_MAX, MAX_ARENAS)
