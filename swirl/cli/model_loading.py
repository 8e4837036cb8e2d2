"""Load the checkpoint that a command names, with a suitable number of threads."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def loaded_model(args: argparse.Namespace) -> Iterator[Any]:
    """Yield the model of `args.checkpoint` on `args.device`, with the number of threads that suits it.

    Raises SwirlError when the checkpoint cannot be loaded.
    """
    from swirl.models import load_world_model
    from swirl.models.thread_count import threads_for_inference

    model = load_world_model(args.home, args.checkpoint, device=args.device)
    with threads_for_inference(model):
        yield model
