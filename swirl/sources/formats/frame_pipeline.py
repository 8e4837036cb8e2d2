"""Runs the work on a film's frames in a thread of its own, while the next frames are decoded."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

FRAMES_AHEAD = 4
"""Frames that may wait for the thread; more would only take memory."""

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_background(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[tuple[Item, Callable[[], Result]]]:
    """Yield each item, in order, with a function that returns what `work` returned for it, or raises what it raised.

    `work` is called in one other thread, on one item after another. Scaling and encoding leave Python to the caller.
    """
    waiting: deque[tuple[Item, Future[Result]]] = deque()
    pool = ThreadPoolExecutor(max_workers=1)
    try:
        for item in items:
            waiting.append((item, pool.submit(work, item)))
            if len(waiting) > FRAMES_AHEAD:
                done, future = waiting.popleft()
                yield done, future.result
        while waiting:
            done, future = waiting.popleft()
            yield done, future.result
    finally:
        pool.shutdown(cancel_futures=True)
