"""ZeroGPU, where a Space gets a GPU for the length of a call: a model lives and works in a process that has one.

`spaces` forks that process for a function that it decorates, hands the arguments over pickled and the result back. So
what crosses is the name of a checkpoint, what to ask of it, and the answer; never a model. Without the package nothing
of this is used.
"""

from __future__ import annotations

import functools
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from studio.services.loaded_models import LoadedModels
from swirl.errors import SwirlError

HAS_SPACES = find_spec("spaces") is not None
SECONDS = 60  # most of what one call takes: loading a model, and its answer
PLAIN_ATTRIBUTES = frozenset({"kind", "name", "size", "grid"})
"""What is read of a model or its codec rather than called."""

if HAS_SPACES:
    import spaces  # before torch: it must be there when torch first looks for a GPU


def decorated(function: Any) -> Any:
    """`spaces.GPU` around a function where the package is there; else the function."""
    return spaces.GPU(duration=SECONDS)(function) if HAS_SPACES else function


def run_on_gpu(home: str, name: str, way: tuple[str, ...], arguments: Any) -> tuple[str, Any]:
    """In the process with the GPU: load the checkpoint, follow `way` from it, and call what is there.

    `arguments` are (args, kwargs), or None to read it. Returns (the sentence of a SwirlError or "", the answer), for an
    error would lose its class on the way back.
    """
    try:
        with _loaded.setdefault(home, LoadedModels(Path(home))).use_in_process(name) as model:
            found = functools.reduce(getattr, way, model)
            return "", found if arguments is None else found(*arguments[0], **arguments[1])
    except SwirlError as error:
        return str(error), None


_loaded: dict[str, LoadedModels] = {}
_run_on_gpu = decorated(run_on_gpu)


class RemoteModel:
    """Stands for a model elsewhere: `borrowed.infer(pairs)` and `borrowed.codec.size` are asked there."""

    device = "cuda"

    def __init__(self, home: Path, name: str, way: tuple[str, ...] = ()) -> None:
        self._home, self._name, self._way = home, name, way

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("_"):
            raise AttributeError(attribute)
        further = RemoteModel(self._home, self._name, (*self._way, attribute))
        return further._ask(None) if attribute in PLAIN_ATTRIBUTES else further

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._ask((args, kwargs))

    def _ask(self, arguments: Any) -> Any:
        sentence, answer = _run_on_gpu(str(self._home), self._name, self._way, arguments)
        if sentence:
            raise SwirlError(sentence)
        return answer
