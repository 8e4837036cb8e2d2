"""Work with models that Ctrl-C stops, and whose answers so far are kept: the same command continues from them."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from swirl.cli.model_loading import loaded_checkpoint
from swirl.cli.output import Output
from swirl.errors import SwirlError

if TYPE_CHECKING:
    from swirl.evaluation.answer_cache import AnswerCache


@contextmanager
def stop_on_request(kept: str) -> Iterator[Callable[[], None]]:
    """Yield a function to call before each pass of a model: it ends the block once Ctrl-C or SIGTERM has come.

    Raises SwirlError then, which says that what is `kept` ("answers") so far is not lost.
    """
    from swirl.evaluation.progress import EvaluationStopped
    from swirl.processes import stop_on_signals

    stop_requested = threading.Event()

    def watch() -> None:
        if stop_requested.is_set():
            raise EvaluationStopped

    try:
        with stop_on_signals(stop_requested.set):
            yield watch
    except EvaluationStopped as stopped:
        raise SwirlError(f"Stopped. The {kept} so far are kept; run the same command to continue.") from stopped


@contextmanager
def stoppable_answers(
    args: argparse.Namespace, names: Sequence[str], settings: Mapping[str, Any], out: Output
) -> Iterator[dict[str, Any]]:
    """Yield what a function that asks several checkpoints takes as `progress`, `watch` and `caches`.

    The answers of each checkpoint on `args.data` are kept in a file until the block succeeds. Raises SwirlError when
    Ctrl-C or SIGTERM stops the work; the same command with the same settings then continues from the answers so far.
    """
    from swirl.evaluation.answer_cache import open_answer_cache

    with ExitStack() as files:
        caches: dict[str, AnswerCache] = {}
        for place, name in enumerate(names):
            # With its place, since two names may stand for equal checkpoints, and a file belongs to one of them.
            caches[name] = open_answer_cache(args.home, name, args.data, {**settings, "place": place})
            files.callback(caches[name].close)
        if kept := sum(cache.answers_loaded for cache in caches.values()):
            out.print_note(f"Continuing from {kept} saved answers.")
        with stop_on_request("answers") as watch:
            yield {"progress": out.show_progress, "watch": watch, "caches": caches}
        for cache in caches.values():
            cache.remove()


def checkpoint_opener(args: argparse.Namespace) -> Callable[[str], Any]:
    """A function that opens a checkpoint by its name on `args.device`, for as long as its block runs."""
    return lambda name: loaded_checkpoint(args.home, name, args.device)
