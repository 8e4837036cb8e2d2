"""How many threads to compute with: a small model is done before a second thread has woken up.

With a training run beside it two threads wait for each other instead: an answer of the tiny models then takes several
times as long as with one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

SMALL_MODEL_PARAMETERS = 20_000_000  # parameters; up to about here a pass for a few rows is overhead rather than work
DEFAULT_THREAD_COUNT = torch.get_num_threads()


def set_threads_for_model_size(small: bool) -> None:
    """Compute with one thread from here on, or with as many as torch took by itself; counts for the calling thread."""
    torch.set_num_threads(1 if small else DEFAULT_THREAD_COUNT)


@contextmanager
def threads_for_model_size(small: bool) -> Iterator[None]:
    """`suit` while inside; afterwards as many threads as before."""
    before = torch.get_num_threads()
    set_threads_for_model_size(small)
    try:
        yield
    finally:
        torch.set_num_threads(before)
