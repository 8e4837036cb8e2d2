"""The scoring between the phases: it is shown, keeps the heartbeat fresh, and can be stopped and continued."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from studio.view_models.training_verdicts import best_checkpoint_verdict
from swirl.history import History
from swirl.runs import jobs
from swirl.settings import Settings
from swirl.training import run_progress
from swirl.training.loop import train

pytestmark = pytest.mark.slow

SMALL = {
    **{"iterations": 1, "steps_per_phase": 2, "batch_size": 2, "group_size": 2, "max_action_tokens": 4},
    **{"max_state_tokens": 48, "held_out": 4},
}


class Scorer:
    """A scorer that calls `during` in the middle of a scoring, with the number of scorings before it."""

    def __init__(self, during: Callable[[int], None], log_probs: Sequence[float] = ()) -> None:
        self.transitions, self.during, self.scored, self.log_probs = (None,) * 4, during, 0, log_probs

    def __call__(self, model, progress) -> dict[str, float]:
        progress(0.5, "half")
        self.during(self.scored)
        model.check_interrupt()
        self.scored += 1
        more = {"forward/log_prob": self.log_probs[self.scored - 1]} if self.log_probs else {}
        return {"cycle/exact_match": 0.5, **more}


@pytest.fixture
def run(tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A run that may train in this process; every pass of the model checks for requests."""
    monkeypatch.setattr(run_progress, "SECONDS_BETWEEN_CHECKS", 0.0)
    return jobs.create_foreground_run(
        tmp_path, preset=None, settings=Settings().replace({**SMALL, "model": str(tiny_base)})
    )


def test_what_a_run_does_while_it_scores(run: str, tmp_path: Path) -> None:
    history, seen = History(tmp_path), []
    train(tmp_path, run, lambda *_: Scorer(lambda number: seen.append(history.run(run))))
    assert [row.activity for row in seen] == ["scoring the checkpoint, 2 of 4 transitions"] * 3
    assert [(row.phase_index, row.step, row.phase_steps) for row in seen] == [(0, 0, 0), (1, 2, 2), (2, 2, 2)]
    assert all(row.seconds_left is not None for row in seen[1:])
    assert 0 < seen[1].share_done < seen[2].share_done < 1, "the last scoring is still to be done"
    assert len(history.metrics(run, ["scoring_time"])) == 3


def best(history: History, run: str) -> list[int]:
    return [checkpoint.index for checkpoint in history.checkpoints(run) if checkpoint.best]


def test_equal_scores_are_told_apart_by_the_log_probability(run: str, tmp_path: Path) -> None:
    train(tmp_path, run, lambda *_: Scorer(lambda number: None, (-3.0, -1.0, -2.0)))
    assert best(History(tmp_path), run) == [1]


def test_without_held_out_sequences_the_last_checkpoint_is_the_best(run: str, tmp_path: Path) -> None:
    class NoScorer:
        transitions: tuple[()] = ()

        def __call__(self, model, progress) -> dict[str, float]:
            return {}

    train(tmp_path, run, lambda *_: NoScorer())
    history = History(tmp_path)
    assert best(history, run) == [2]
    assert "no checkpoint is scored, and the last one counts as the best" in history.run(run).warning
    verdict = best_checkpoint_verdict(history.checkpoints(run))
    assert (verdict.claim, verdict.reason) == ("Kept as the best: iteration 1", "no sequence is held out to score on")


def test_a_stop_during_a_scoring_continues_with_that_scoring(run: str, tmp_path: Path) -> None:
    history = History(tmp_path)

    def stop(number: int) -> None:
        if number == 1:
            history.add_request(run, "stop")

    scorer = Scorer(stop)
    assert train(tmp_path, run, lambda *_: scorer) == "stopped"
    assert [c.index for c in history.checkpoints(run)] == [0], "the checkpoint of phase 1 was not scored"
    history.clear_requests(run, "stop")
    rewards = history.metrics(run, ["reward"])
    assert train(tmp_path, run, lambda *_: Scorer(lambda number: None)) == "finished"
    assert [c.index for c in history.checkpoints(run)] == [0, 1, 2]
    again = [m for m in history.metrics(run, ["reward"]) if m.phase == 1]
    assert again == [m for m in rewards if m.phase == 1], "phase 1 was trained again"
