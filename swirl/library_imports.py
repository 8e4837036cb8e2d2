"""Imports of libraries that two threads must not import at once."""

from __future__ import annotations

import importlib
import threading

_guard = threading.Lock()


def import_transformers() -> None:
    """Import transformers while no other thread does; call it before the first `from transformers import …`.

    At the end of its import it puts another module in its place. A thread that waits for that import gets the first
    one, which lacks most names, and fails with an ImportError.
    """
    with _guard:
        importlib.import_module("transformers")
