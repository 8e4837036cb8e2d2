"""A stopped inference continues from its batches and gives what an uninterrupted one gives."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from swirl.errors import SwirlError
from swirl.evaluation.answer_cache import AnswerCache
from swirl.exports import resumable_inference
from swirl.exports.resumable_inference import infer_in_batches
from swirl.models.results import Alternative, Inference
from swirl.states import State, StateSequence

TRANSITIONS = list(StateSequence("a", tuple(State(str(step)) for step in range(11))).transitions())


class Guessing:
    """Answers differ with the seed, the batch and the place in it, as sampled alternatives do."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.check_interrupt: Callable[[], None] = lambda: None

    def infer(
        self, pairs: Sequence[tuple[State, State]], *, alternatives: int, by_both_models: bool, seed: int
    ) -> list[Inference]:
        assert not by_both_models
        self.check_interrupt()
        self.batches.append([state.text for state, _ in pairs])
        draw = random.Random(f"{seed} {len(pairs)}")
        found = [[Alternative(f"{x.text} {draw.random()}", -draw.random())] * alternatives for x, _ in pairs]
        return [Inference(group[0].action, group[0].log_prob, tuple(group)) for group in found]


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resumable_inference, "BATCH", 4)


def infer(
    home: Path, model: Guessing, seed: int = 0, watch: Callable[[], None] = lambda: None
) -> tuple[list[Inference], list[str]]:
    """The inferred actions, and the words of the progress."""
    words: list[str] = []
    cache = AnswerCache(home, {"seed": seed})
    try:
        found = infer_in_batches(
            model,
            TRANSITIONS,
            cache,
            alternatives=2,
            seed=seed,
            progress=lambda _, text: words.append(text),
            watch=watch,
        )
        return list(found), words
    finally:
        cache.close()


def test_a_stopped_inference_continues_where_it_was(tmp_path: Path) -> None:
    whole, words = infer(tmp_path / "whole", Guessing())
    assert [inference.action.split()[0] for inference in whole] == [str(step) for step in range(10)]
    assert words[0].startswith("4 of 10 actions inferred, about ") and words[-1].startswith("10 of 10")

    stopped = Guessing()

    def stop_in_third_batch() -> None:
        if len(stopped.batches) == 2:
            raise SwirlError("stop")

    with pytest.raises(SwirlError, match="stop"):
        infer(tmp_path / "stopped", stopped, watch=stop_in_third_batch)
    continuing = Guessing()
    assert infer(tmp_path / "stopped", continuing)[0] == whole
    assert continuing.batches == [["8", "9"]]


def test_another_seed_gives_other_samples_and_batches_do_not_share_theirs(tmp_path: Path) -> None:
    first, second = (infer(tmp_path / str(seed), Guessing(), seed)[0] for seed in (0, 1))
    assert all(ours != theirs for ours, theirs in zip(first, second, strict=True))
    assert first[0].log_prob != first[4].log_prob
