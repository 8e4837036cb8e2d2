"""The models that the pages ask: which there are, the one way to use them, and their answers, each computed once."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from studio.services import zero_gpu
from studio.services.history_store import history
from studio.services.loaded_models import LoadedModels
from studio.services.model_lock import POLL_SECONDS
from swirl import paths
from swirl.errors import SwirlError
from swirl.models import hub
from swirl.models.checkpoint_files import MANIFEST
from swirl.models.checkpoints import asset_names, checkpoint_kind
from swirl.pictures import state_key
from swirl.states import State

if TYPE_CHECKING:
    from swirl.models import Inference, WorldModel

MAX_CACHED_ANSWERS = 4096  # answers kept, so that walking back and forth costs nothing
MAX_ATTEMPTS = 4  # times that a question without haste is begun before it is answered whoever waits
MAX_LISTED_RUNS = 12  # newest runs whose checkpoints are offered

T = TypeVar("T")
AskModel = Callable[["Models", str, Callable[["WorldModel"], Any]], Any]
"""`patiently` or `at_once`."""


@dataclass(frozen=True)
class AvailableCheckpoint:
    """A checkpoint that can be chosen; `note` is a word on it, `from_run` False for a shipped one.

    `kind` says what its states are: "text" or "image".
    """

    name: str
    note: str
    is_from_run: bool
    kind: str = "text"


class Models(LoadedModels):
    """The checkpoints of one home: which there are, which are loaded, and the only way to use one."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self._answers_lock = threading.Lock()  # held for an instant
        self._answers: OrderedDict[tuple[Any, ...], Any] = OrderedDict()
        self.only_offered = False
        """Whether a name that is not on the list is refused: a folder, or any model on the Hub."""

    def available(self, kind: str = "") -> list[AvailableCheckpoint]:
        """Shipped checkpoints by name, then those of the newest runs, the newest first; all, or those of one kind."""
        shipped = [AvailableCheckpoint(name, "", False, _kind(paths.assets() / name)) for name in asset_names()]
        fetched = [
            AvailableCheckpoint(name, "from the Hub", False, _kind(hub.cached_folder(name)))
            for name in hub.list_cached_checkpoints()
        ]
        past = history(self.home)
        trained = [
            AvailableCheckpoint(
                checkpoint.name,
                "best" if checkpoint.best else checkpoint.phase,
                True,
                _kind(self.home / checkpoint.path),
            )
            for run in past.runs(limit=MAX_LISTED_RUNS)
            for checkpoint in reversed(past.checkpoints(run.id))
        ]
        return [item for item in shipped + fetched + trained if not kind or item.kind == kind]

    def choose(self, wanted: str = "", kind: str = "") -> str | None:
        """`wanted` if it is still there and of that kind, else the first shipped, else the newest; None when none is.

        Without a kind a model of texts comes before one of pictures.
        """
        found = self.available(kind)
        if any(item.name == wanted for item in found):
            return wanted
        return next((item.name for item in sorted(found, key=lambda item: item.kind != "text")), None)

    @contextmanager
    def use(self, name: str) -> Iterator[WorldModel]:
        """The model `name`, loaded if need be, for the caller alone; the one unused longest makes room.

        Raises SwirlError when there is no such checkpoint or it cannot be loaded.
        """
        if self.only_offered and name not in {item.name for item in self.available()}:
            raise SwirlError(f"{name!r} is not one of the checkpoints that are offered here; choose one in the header.")
        if zero_gpu.HAS_SPACES:
            yield zero_gpu.RemoteModel(self.home, name)
            return
        with self.use_in_process(name) as model:
            yield model

    def infer(
        self, name: str, transitions: Sequence[tuple[State, State]], *, alternatives: bool = True
    ) -> list[Inference]:
        """The inferred action of each transition, each computed once for a checkpoint.

        Without `alternatives` only the greedy answer is computed, at a ninth of the time.
        """
        found = [self.cached_inference(name, x, y, alternatives=alternatives) for x, y in transitions]
        new = list(dict.fromkeys(pair for pair, known in zip(transitions, found, strict=True) if known is None))
        if new:
            with self.use(name) as model:
                answers = model.infer(new) if alternatives else model.infer(new, alternatives=1)
            for (x, y), answer in zip(new, answers, strict=True):
                self.remember(("weighed" if alternatives else "read", name, state_key(x), state_key(y)), answer)
            fresh = dict(zip(new, answers, strict=True))
            found = [known or fresh[pair] for pair, known in zip(transitions, found, strict=True)]
        return found

    def cached_inference(
        self, name: str | None, state: State, next_state: State, *, alternatives: bool = False
    ) -> Inference | None:
        """What was already inferred for this transition, without asking the model."""
        for kind in ("weighed",) if alternatives else ("weighed", "read"):
            found = self.recall((kind, name, state_key(state), state_key(next_state)))
            if found is not None:
                return found
        return None

    def recall(self, key: tuple[Any, ...]) -> Any:
        """An earlier answer, or None. Keys begin with the question's kind and the checkpoint's name."""
        with self._answers_lock:
            return self._answers.get(key)

    def remember(self, key: tuple[Any, ...], answer: Any) -> None:
        """Keep an answer; the oldest makes room."""
        with self._answers_lock:
            self._answers[key] = answer
            while len(self._answers) > MAX_CACHED_ANSWERS:
                self._answers.popitem(last=False)

    def unload(self) -> None:
        """Let go of every model, and of what they answered, once the one at work is done."""
        super().unload()
        with self._answers_lock:
            self._answers.clear()


_shared: dict[Path, Models] = {}
_guard = threading.Lock()


def shared_models(home: Path) -> Models:
    """The models of `home`, one holder a process."""
    with _guard:
        return _shared.setdefault(home.resolve(), Models(home))


def choose_checkpoint(home: Path, wanted: str, kind: str = "") -> str:
    """The checkpoint to ask about states of a kind; SwirlError with the way out when there is none at all."""
    name = shared_models(home).choose(wanted, kind)
    if name is None:
        raise SwirlError(no_model_message(kind))
    return name


def no_model_message(kind: str) -> str:
    """What to do where no model is of that kind."""
    what = {"image": "model of pictures", "text": "model of texts"}.get(kind, "model")
    return f"There is no {what} on this machine yet; train one on the Train page."


def _kind(folder: Path) -> str:
    """What a checkpoint's states are; its manifest is read once, for every page asks for all of them all the time."""
    try:
        written = (folder / MANIFEST).stat().st_mtime_ns
    except OSError:
        written = 0
    return _read_kind(folder, written)


@lru_cache(maxsize=4096)
def _read_kind(folder: Path, written: int) -> str:
    try:
        return checkpoint_kind(folder)
    except SwirlError:
        return "text"  # a damaged checkpoint; loading it says what is wrong


class _Preempted(Exception):
    """A question without haste is given up, for somebody waits."""


def ask_model(models: Models, name: str, ask: Callable[[WorldModel], T]) -> T:
    """What `ask` gets from the model `name`. Raises SwirlError when there is no such checkpoint or it cannot load."""
    with models.use(name) as model:
        return ask(model)


def ask_model_at_low_priority(models: Models, name: str, ask: Callable[[WorldModel], T]) -> T:
    """What `ask` gets from the model `name`, at leisure: where somebody else wants a model, it begins anew after them.

    Raises SwirlError when there is no such checkpoint or it cannot be loaded.
    """

    def make_way() -> None:
        if models.lock.urgent_waiters:
            raise _Preempted

    for _ in range(MAX_ATTEMPTS):
        with models.lock.low_priority(), models.use(name) as model:
            before, model.check_interrupt = getattr(model, "check_interrupt", None), make_way
            try:
                return ask(model)
            except _Preempted:
                pass  # begun anew below, when it is nobody's turn
            finally:
                model.check_interrupt = before
        while models.lock.urgent_waiters:
            time.sleep(POLL_SECONDS)
    return ask_model(models, name, ask)
