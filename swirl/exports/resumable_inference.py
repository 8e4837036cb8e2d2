"""Infers the actions of many transitions, batch by batch, and continues from the batches of a stopped attempt."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from swirl.evaluation.answer_cache import AnswerCache
from swirl.evaluation.report import watch_passes
from swirl.models.results import Inference
from swirl.progress import ProgressCallback, describe_seconds
from swirl.states import Transition

if TYPE_CHECKING:
    from swirl.models.world_model import WorldModel

BATCH = 16
"""Transitions inferred at once: what a stop loses at most."""


def infer_in_batches(
    model: WorldModel,
    transitions: Sequence[Transition],
    cache: AnswerCache,
    *,
    alternatives: int,
    by_both_models: bool = False,
    seed: int,
    progress: ProgressCallback,
    watch: Callable[[], None],
) -> Iterator[Inference]:
    """Yield the inferred action of each transition, in order.

    Answers are read from the cache where they are known, else written to it. Each batch has a seed of its own, so that
    a continued attempt gives what an uninterrupted one gives. `watch` is called before each pass of the model; an
    exception from it ends the work.
    """
    began, computed = time.monotonic(), 0
    for start in range(0, len(transitions), BATCH):
        batch = transitions[start : start + BATCH]
        questions = [(str(start + offset),) for offset in range(len(batch))]
        known = [cache.get("inference", question) for question in questions]
        if any(answer is None for answer in known):
            pairs = [(item.state, item.next_state) for item in batch]
            watch()
            with watch_passes(model, watch):
                known = model.infer(pairs, alternatives=alternatives, by_both_models=by_both_models, seed=seed + start)
            computed += len(batch)
            cache.add(("inference", question, answer) for question, answer in zip(questions, known, strict=True))
        done = start + len(batch)
        left = (time.monotonic() - began) / max(1, computed) * (len(transitions) - done)
        words = f"{done} of {len(transitions)} actions inferred, about {describe_seconds(left)} left"
        progress(done / len(transitions), words)
        yield from known
