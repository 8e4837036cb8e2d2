"""Who may work with a model: one at a time, and what nobody waits for makes way for what somebody does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from studio.inference import Models
    from swirl.models import WorldModel

T = TypeVar("T")
Asking = Callable[["Models", str, Callable[["WorldModel"], Any]], Any]
"""`patiently` or `at_once`."""
STARTS = 4  # times that a question without haste is begun before it is answered whoever waits
PAUSE = 0.005  # seconds between two looks at whether somebody waits


class Turns:
    """A lock, which its holder may take again, that knows how many wait for it in haste."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._guard = threading.Lock()
        self._own = threading.local()
        self.waiting = 0

    def __enter__(self) -> None:
        haste = 0 if getattr(self._own, "leisure", False) else 1
        with self._guard:
            self.waiting += haste
        self._lock.acquire()
        with self._guard:
            self.waiting -= haste

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.release()

    @contextmanager
    def at_leisure(self) -> Iterator[None]:
        """What this thread takes meanwhile, it takes without haste."""
        self._own.leisure = True
        try:
            yield
        finally:
            self._own.leisure = False


class _MadeWay(Exception):
    """A question without haste is given up, for somebody waits."""


def at_once(models: Models, name: str, ask: Callable[[WorldModel], T]) -> T:
    """What `ask` gets from the model `name`. Raises SwirlError when there is no such checkpoint or it cannot load."""
    with models.use(name) as model:
        return ask(model)


def patiently(models: Models, name: str, ask: Callable[[WorldModel], T]) -> T:
    """What `ask` gets from the model `name`, at leisure: where somebody else wants a model, it begins anew after them.

    Raises SwirlError when there is no such checkpoint or it cannot be loaded.
    """

    def make_way() -> None:
        if models.turns.waiting:
            raise _MadeWay

    for _ in range(STARTS):
        with models.turns.at_leisure(), models.use(name) as model:
            before, model.watch = getattr(model, "watch", None), make_way
            try:
                return ask(model)
            except _MadeWay:
                pass  # begun anew below, when it is nobody's turn
            finally:
                model.watch = before
        while models.turns.waiting:
            time.sleep(PAUSE)
    return at_once(models, name, ask)
