"""Chooses the number of CPU threads: one for a small model, which is done before a second thread has started.

While a training run uses the CPU too, several threads wait for each other: the tiny models then take several times as
long as with one thread.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

SMALL_MODEL_PARAMETERS = 20_000_000  # up to about this size, a pass for a few rows is mostly overhead
DEFAULT_THREAD_COUNT = torch.get_num_threads()


def set_threads_for_model_size(small: bool) -> None:
    """Set the calling thread to use one torch thread for a small model, else torch's default number."""
    torch.set_num_threads(1 if small else DEFAULT_THREAD_COUNT)


@contextmanager
def threads_for_model_size(small: bool) -> Iterator[None]:
    """Apply `set_threads_for_model_size` inside the block, then restore the previous number of threads."""
    before = torch.get_num_threads()
    set_threads_for_model_size(small)
    try:
        yield
    finally:
        torch.set_num_threads(before)
