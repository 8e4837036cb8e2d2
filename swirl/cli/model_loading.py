"""Load the checkpoint that a command names, with a suitable number of threads."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def loaded_model(args: argparse.Namespace) -> Iterator[Any]:
    """Yield the model of `args.checkpoint` on `args.device`, with the number of threads that suits it.

    Raises SwirlError when the checkpoint cannot be loaded.
    """
    with loaded_checkpoint(args.home, args.checkpoint, args.device) as model:
        yield model


@contextmanager
def loaded_checkpoint(home: Path, name: str, device: str) -> Iterator[Any]:
    """Yield a model by its name, as `loaded_model` does."""
    from swirl.models import load_world_model
    from swirl.models.thread_count import threads_for_inference

    model = load_world_model(home, name, device=device)
    with threads_for_inference(model):
        yield model
