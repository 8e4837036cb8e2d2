"""One thread for the arithmetic of all models, whichever thread of the server asks.

OpenMP gives every thread that computes with several threads a team of its own, for as long as that thread lives. GNU's,
which PyTorch uses on Linux, counts all teams: with more threads than cores, those that wait for the next piece of work
sleep instead of spinning, and to wake them takes as long as most pieces do. The server answers in many threads, so that
after a few questions a second core would gain nothing (docs/lab-notes.md has the figures).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextvars import copy_context
from functools import partial, wraps
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

if TYPE_CHECKING:
    from swirl.models import WorldModel

P, T = ParamSpec("P"), TypeVar("T")

ARITHMETIC = ("sample", "log_prob", "row_log_probs", "greedy_with_guesses")
"""The methods of a world model in which all passes through its layers happen."""
CODEC_ARITHMETIC = ("encode", "decode")
"""The same of an image tokenizer."""


class ComputeThread(threading.Thread):
    """Calls one function after the other; the server need not wait for it to end."""

    def __init__(self) -> None:
        super().__init__(name="models", daemon=True)
        self._waiting: SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = SimpleQueue()

    def submit(self, function: Callable[[], T]) -> Future[T]:
        """Call the function when those before it have ended."""
        future: Future[T] = Future()
        self._waiting.put((future, function))
        return future

    def run(self) -> None:
        """Call what is submitted, for ever."""
        while True:
            future, function = self._waiting.get()
            try:
                future.set_result(function())
            except BaseException as error:
                future.set_exception(error)
            del future, function  # or the last answer would stay until the next question


_thread: ComputeThread | None = None
_guard = threading.Lock()


def compute(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What the function returns or raises, called in the one thread with the caller's context variables."""
    global _thread
    with _guard:
        if _thread is None or not _thread.is_alive():  # a process that was forked off has none
            _thread = ComputeThread()
            _thread.start()
        thread = _thread
    if threading.current_thread() is thread:
        return function(*args, **kwargs)
    return thread.submit(partial(copy_context().run, function, *args, **kwargs)).result()


def keep_in_one_thread(model: WorldModel) -> WorldModel:
    """The same model, whose arithmetic and that of its image codec happen in the one thread from now on."""
    _move(model, ARITHMETIC)
    _move(getattr(getattr(model, "codec", None), "image_tokenizer", None), CODEC_ARITHMETIC)
    return model


def _move(owner: Any, names: Sequence[str]) -> None:
    def moved(method: Callable[P, T]) -> Callable[P, T]:
        @wraps(method)
        def ask(*args: P.args, **kwargs: P.kwargs) -> T:
            return compute(method, *args, **kwargs)

        return ask

    for name in names:
        if hasattr(owner, name):  # editors by diffusion have none of them, and texts no image tokenizer
            setattr(owner, name, moved(getattr(owner, name)))
