"""Support for ZeroGPU, where a Space gets a GPU only for the duration of a call, in a separate process.

The `spaces` package forks that process for a function it decorates and pickles its arguments and result. So only the
name of a checkpoint, the question and the answer cross over, never a model. Without the package, none of this is used.
"""

from __future__ import annotations

import functools
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from studio.services.loaded_models import LoadedModels
from swirl.errors import SwirlError

HAS_SPACES = find_spec("spaces") is not None
CALL_SECONDS = 60  # the longest that one call may take to load a model and answer
PLAIN_ATTRIBUTES = frozenset({"kind", "name", "size", "grid"})
"""Attributes of a model or its codec that are read rather than called."""

if HAS_SPACES:
    import spaces  # before torch, because it must be in place when torch first looks for a GPU


def decorated(function: Any) -> Any:
    """Decorate a function with `spaces.GPU` if the package is installed."""
    return spaces.GPU(duration=CALL_SECONDS)(function) if HAS_SPACES else function


def run_on_gpu(home: str, name: str, path: tuple[str, ...], arguments: Any) -> tuple[str, Any]:
    """In the process with the GPU: load a checkpoint, follow the attributes `path`, and call or read the result.

    `arguments` are (args, kwargs) of the call, or None to read the attribute. Returns the message of a SwirlError, or
    "", and the answer; an exception would lose its class on the way back.
    """
    try:
        with _loaded.setdefault(home, LoadedModels(Path(home))).use_in_process(name) as model:
            attribute = functools.reduce(getattr, path, model)
            return "", attribute if arguments is None else attribute(*arguments[0], **arguments[1])
    except SwirlError as error:
        return str(error), None


_loaded: dict[str, LoadedModels] = {}
_run_on_gpu = decorated(run_on_gpu)


class RemoteModel:
    """A proxy for a model in the GPU process: `remote.infer(pairs)` and `remote.codec.size` are evaluated there."""

    device = "cuda"

    def __init__(self, home: Path, name: str, path: tuple[str, ...] = ()) -> None:
        self._home, self._name, self._path = home, name, path

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("_"):
            raise AttributeError(attribute)
        remote = RemoteModel(self._home, self._name, (*self._path, attribute))
        return remote._ask(None) if attribute in PLAIN_ATTRIBUTES else remote

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._ask((args, kwargs))

    def _ask(self, arguments: Any) -> Any:
        error, answer = _run_on_gpu(str(self._home), self._name, self._path, arguments)
        if error:
            raise SwirlError(error)
        return answer
