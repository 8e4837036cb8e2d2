"""The texts that a model is writing for a page, so that the page can show them before the answer is complete."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

MAX_STREAMS = 64
MAX_SHOWN = 8
"""The most texts of one answer that are shown while they grow."""

_ticket: ContextVar[str] = ContextVar("ticket", default="")
_guard = threading.Lock()
_growing: OrderedDict[str, list[str]] = OrderedDict()


@contextmanager
def answering(ticket: str) -> Iterator[None]:
    """Inside the block, models write for the request that its page has given this name; "" shows nothing."""
    before = _ticket.set(ticket)
    try:
        yield
    finally:
        _ticket.reset(before)
        with _guard:
            _growing.pop(ticket, None)


@contextmanager
def streamed(model: Any) -> Iterator[Any]:
    """Inside the block, what the model writes is kept for the request that is being answered."""
    ticket = _ticket.get()
    if not ticket or not hasattr(model, "on_texts"):
        yield model
        return

    def keep(texts: list[str]) -> None:
        with _guard:
            _growing[ticket] = list(dict.fromkeys(filter(None, texts)))[:MAX_SHOWN]
            while len(_growing) > MAX_STREAMS:
                _growing.popitem(last=False)

    model.on_texts = keep
    try:
        yield model
    finally:
        model.on_texts = None


def growing_texts(ticket: str) -> list[str]:
    """The texts so far of the request with this name; empty before the first and after the answer."""
    with _guard:
        return list(_growing.get(ticket, ()))
