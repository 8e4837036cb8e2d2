"""The checkpoints that the pages use: which are available, exclusive access to one, and cached answers."""

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
from studio.services.text_streams import streamed
from swirl import paths
from swirl.errors import SwirlError
from swirl.models import hub
from swirl.models.checkpoint_files import MANIFEST
from swirl.models.checkpoints import checkpoint_kind, ready_models, resolve_checkpoint, trained_checkpoints
from swirl.models.gguf_files import SMOLLM2
from swirl.pictures import state_key
from swirl.states import State

if TYPE_CHECKING:
    from swirl.models import Inference, WorldModel

MAX_CACHED_ANSWERS = 4096  # so that stepping back and forth costs nothing
MAX_ATTEMPTS = 4  # preemptible attempts at a low-priority question before it runs to the end regardless
MAX_LISTED_RUNS = 12  # newest runs whose checkpoints are listed
UNTRAINED = "a language model, not yet trained on states"

T = TypeVar("T")
AskModel = Callable[["Models", str, Callable[["WorldModel"], Any]], Any]
"""`ask_model` or `ask_model_at_low_priority`."""


@dataclass(frozen=True)
class AvailableCheckpoint:
    """A checkpoint that can be chosen, with a short note; `kind` is the kind of its states, "text" or "image"."""

    name: str
    note: str
    is_from_run: bool
    kind: str = "text"


class Models(LoadedModels):
    """The checkpoints of one home: which are available and loaded, access to them, and their cached answers."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self._answers_lock = threading.Lock()  # only ever held briefly
        self._answers: OrderedDict[tuple[Any, ...], Any] = OrderedDict()
        self.only_offered = False
        """Whether names that are not listed, such as folders and models on the Hub, are refused."""

    def available(self, kind: str = "") -> list[AvailableCheckpoint]:
        """Models that are here, then downloaded checkpoints, then those of the newest runs; all or one `kind`."""
        ready = [
            AvailableCheckpoint(name, UNTRAINED if name == SMOLLM2 else "", False, _kind(paths.assets() / name))
            for name in ready_models()
        ]
        fetched = [
            AvailableCheckpoint(name, "from the Hub", False, _kind(hub.cached_folder(name)))
            for name in hub.list_cached_checkpoints()
        ]
        trained = [
            AvailableCheckpoint(
                checkpoint.name,
                "best" if checkpoint.best else checkpoint.phase,
                True,
                _kind(self.home / checkpoint.path),
            )
            for checkpoint in trained_checkpoints(history(self.home), MAX_LISTED_RUNS)
        ]
        return [item for item in [*ready, *fetched, *trained] if not kind or item.kind == kind]

    def find(self, name: str) -> AvailableCheckpoint | None:
        """A checkpoint on this machine by its name: one of those listed, else, unless only these are offered, a folder
        or a checkpoint of an older run. None if there is none, or if it would have to be downloaded."""
        return self._find(name, self.available())

    def _find(self, name: str, available: Sequence[AvailableCheckpoint]) -> AvailableCheckpoint | None:
        listed = next((item for item in available if item.name == name), None)
        if listed is not None or self.only_offered or not name:
            return listed
        try:
            source = resolve_checkpoint(self.home, name)
        except SwirlError:
            return None
        if not isinstance(source, Path) or not source.exists():
            return None
        run = history(self.home).find_run(name.partition("@")[0])
        return AvailableCheckpoint(name, "", run is not None, _kind(source))

    def choose(self, wanted: str = "", kind: str = "") -> str | None:
        """`wanted` if it is here and of that kind, else the first available checkpoint; None if there is none.

        Without a kind, a model of texts is preferred to one of pictures.
        """
        available = self.available()
        found = self._find(wanted, available)
        if found is not None and kind in ("", found.kind):
            return wanted
        fitting = [item for item in available if kind in ("", item.kind)]
        return next((item.name for item in sorted(fitting, key=lambda item: item.kind != "text")), None)

    @contextmanager
    def use(self, name: str, *, load: bool = True) -> Iterator[WorldModel]:
        """Exclusive access to the model `name`, loaded if necessary; the least recently used model makes room.

        Raises SwirlError if there is no such checkpoint or it cannot be loaded, and ModelNotLoaded if it is not loaded
        and, with `load` false, is not to be.
        """
        if self.only_offered and name not in {item.name for item in self.available()}:
            raise SwirlError(f"{name!r} is not one of the checkpoints available here; choose one in the header.")
        if zero_gpu.HAS_SPACES:
            yield zero_gpu.RemoteModel(self.home, name)
            return
        with self.use_in_process(name, load=load) as model, streamed(model):
            yield model

    def infer(
        self, name: str, transitions: Sequence[tuple[State, State]], *, alternatives: bool = True
    ) -> list[Inference]:
        """The inferred action of each transition, computed once per checkpoint.

        Without `alternatives`, only the greedy action is computed, in a ninth of the time.
        """
        cached = [self.cached_inference(name, x, y, alternatives=alternatives) for x, y in transitions]
        new = list(dict.fromkeys(pair for pair, known in zip(transitions, cached, strict=True) if known is None))
        if not new:
            return cached
        with self.use(name) as model:
            answers = model.infer(new) if alternatives else model.infer(new, alternatives=1)
        kind = "inferred with alternatives" if alternatives else "inferred"
        for (x, y), answer in zip(new, answers, strict=True):
            self.remember((kind, name, state_key(x), state_key(y)), answer)
        computed = dict(zip(new, answers, strict=True))
        return [known or computed[pair] for pair, known in zip(transitions, cached, strict=True)]

    def cached_inference(
        self, name: str | None, state: State, next_state: State, *, alternatives: bool = False
    ) -> Inference | None:
        """The cached action of this transition, or None; never asks the model."""
        for kind in ("inferred with alternatives",) if alternatives else ("inferred with alternatives", "inferred"):
            answer = self.recall((kind, name, state_key(state), state_key(next_state)))
            if answer is not None:
                return answer
        return None

    def recall(self, key: tuple[Any, ...]) -> Any:
        """The cached answer, or None. A key starts with the kind of question and the checkpoint's name."""
        with self._answers_lock:
            return self._answers.get(key)

    def remember(self, key: tuple[Any, ...], answer: Any) -> None:
        """Cache an answer; if there are too many, the oldest is dropped."""
        with self._answers_lock:
            self._answers[key] = answer
            while len(self._answers) > MAX_CACHED_ANSWERS:
                self._answers.popitem(last=False)

    def unload(self) -> None:
        """Unload every model and clear all answers, once the model in use is done."""
        super().unload()
        with self._answers_lock:
            self._answers.clear()


_shared: dict[Path, Models] = {}
_guard = threading.Lock()


def shared_models(home: Path) -> Models:
    """The models of `home`, shared within the process."""
    with _guard:
        return _shared.setdefault(home.resolve(), Models(home))


def choose_checkpoint(home: Path, wanted: str, kind: str = "") -> str:
    """`wanted` if it suits states of a kind, else a checkpoint that does. Raises SwirlError if there is none."""
    name = shared_models(home).choose(wanted, kind)
    if name is None:
        raise SwirlError(no_model_message(kind))
    return name


def no_model_message(kind: str) -> str:
    """The error for a machine without a model of that kind; it says what to do."""
    model = {"image": "model of pictures", "text": "model of texts"}.get(kind, "model")
    return f"There is no {model} on this machine yet; train one on the Train page."


def _kind(folder: Path) -> str:
    """The kind of a checkpoint's states; cached until its manifest changes, as every page asks for all kinds."""
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
        return "text"  # a damaged checkpoint; loading it reports what is wrong


class _Preempted(Exception):
    """Raised to abandon a low-priority question because a page waits for a model."""


def ask_model(models: Models, name: str, ask: Callable[[WorldModel], T], *, load: bool = True) -> T:
    """Call `ask` with the model `name`. Raises as `Models.use` does."""
    with models.use(name, load=load) as model:
        return ask(model)


def ask_model_at_low_priority(models: Models, name: str, ask: Callable[[WorldModel], T], *, load: bool = True) -> T:
    """Call `ask` with the model `name`, abandoning and repeating it whenever someone else waits for a model.

    After MAX_ATTEMPTS it runs to the end. Raises as `Models.use` does; with `load` false, that may happen between two
    attempts, when who waited has unloaded the models.
    """

    def check_interrupt() -> None:
        if models.lock.urgent_waiters:
            raise _Preempted

    for _ in range(MAX_ATTEMPTS):
        with models.lock.low_priority(), models.use(name, load=load) as model:
            previous, model.check_interrupt = getattr(model, "check_interrupt", None), check_interrupt
            try:
                return ask(model)
            except _Preempted:
                pass  # tried again below, once nobody waits
            finally:
                model.check_interrupt = previous
        while models.lock.urgent_waiters:
            time.sleep(POLL_SECONDS)
    return ask_model(models, name, ask, load=load)
