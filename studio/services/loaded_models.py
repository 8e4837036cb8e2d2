"""The loaded models: at most two, used one at a time, and unloaded on request or when a run needs their memory."""

from __future__ import annotations

import importlib
import os
import shutil
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from studio.services.compute_thread import compute, keep_in_one_thread
from studio.services.history_store import history
from studio.services.model_lock import ModelLock
from swirl import devices
from swirl.errors import SwirlError
from swirl.library_imports import import_transformers

if TYPE_CHECKING:
    from swirl.models import WorldModel

MAX_LOADED_MODELS = 2  # the one in use and the one it is compared with
LOW_MEMORY_SHARE = 0.8  # share of main memory in use above which the start of a run unloads the models


class ModelNotLoaded(SwirlError):
    """Raised instead of loading a model for an answer that may never be wanted."""


class LoadedModels:
    """The loaded checkpoints of one home."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.lock = ModelLock()  # held while a model is in use
        self._loaded: OrderedDict[str, WorldModel] = OrderedDict()
        self._device: str | None = None

    def loaded(self) -> list[str]:
        """The names of the loaded checkpoints, the most recently used last."""
        return list(self._loaded)

    def preload_imports(self) -> None:
        """Import the packages that every model needs, ahead of time; this takes longer than loading a small model."""
        with self.lock:
            import_transformers()  # what reads lengths on the Train page imports it without this lock
            importlib.import_module("swirl.models.loading")
            importlib.import_module("diffusers.models.autoencoders.vq_model")

    @contextmanager
    def use_in_process(self, name: str, *, load: bool = True) -> Iterator[WorldModel]:
        """Exclusive access to the model `name`, loaded if necessary; the least recently used model makes room.

        Raises SwirlError if there is no such checkpoint or it cannot be loaded, and ModelNotLoaded if it is not loaded
        and, with `load` false, is not to be.
        """
        with self.lock:
            if not load and name not in self._loaded:
                raise ModelNotLoaded(f"{name} is not loaded.")
            import_transformers()
            from swirl.models import load_world_model  # imports torch, which two threads must not do at once

            if name not in self._loaded:
                while len(self._loaded) >= MAX_LOADED_MODELS:
                    self._loaded.popitem(last=False)[1].unload()
                loaded = compute(load_world_model, self.home, name, **self._device_override())
                self._loaded[name] = keep_in_one_thread(loaded)
            self._loaded.move_to_end(name)
            model = self._loaded[name]
            self._device = str(model.device)
            if getattr(model, "is_small", None) is not None:
                compute(importlib.import_module("swirl.models.thread_count").set_threads_for_inference, model)
            yield model

    def unload(self) -> None:
        """Unload every model, once the one in use is done."""
        with self.lock:
            while self._loaded:
                self._loaded.popitem()[1].unload()

    def free_memory_for_device(self, wanted: str) -> None:
        """Unload the models if a run with the setting `device=wanted` needs their memory when it starts.

        It needs the GPU if they are on it, or main memory if that is short.
        """
        if not self._loaded:
            return
        used, total = devices.memory_usage()
        on_gpu = not (self._device or "cpu").startswith("cpu")
        asked_for_gpu = devices.candidate_devices(wanted)[0] != "cpu"
        if on_gpu == asked_for_gpu and (on_gpu or used > LOW_MEMORY_SHARE * total):
            self.unload()

    def _device_override(self) -> dict[str, str]:
        """The device argument for loading a model: the processor while a run occupies the GPU."""
        gpu = devices.candidate_devices("auto")[0]
        occupied = gpu != "cpu" and any(
            run.device in (gpu, devices.EVERY_GPU) for run in history(self.home).training_runs()
        )
        return {"device": "cpu"} if occupied else {}

    def device_label(self) -> str:
        """`CPU · 2 cores`, `GPU` or `Apple GPU`; before a model is loaded, a guess that does not import torch."""
        guess = "cuda" if shutil.which("nvidia-smi") and Path("/dev/nvidia0").exists() else "cpu"
        device = self._device or guess
        if device.startswith("cuda"):
            return "GPU"
        return "Apple GPU" if device.startswith("mps") else f"CPU · {os.cpu_count()} cores"
