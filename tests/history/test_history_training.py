"""Phases, metrics, rollouts, checkpoints and evaluations, some of them written twice as by a resumed run."""

from __future__ import annotations

import math
import time
from pathlib import Path

import pytest

from swirl.history import History


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path)


@pytest.fixture
def run_id(history: History) -> str:
    return history.create_run(preset=None, settings={"data": "household"})


def rollout(text: str) -> dict[str, object]:
    return {
        "state": f"state {text}",
        "next_state": f"next {text}",
        "action": "open the door",
        "samples": [text, "ü"],
        "rewards": [-1.0, -2.5],
        "advantages": [0.7, -0.7],
    }


def test_metrics_after_the_last_id_are_the_new_ones(history: History, run_id: str) -> None:
    other = history.create_run(preset=None, settings={"data": "household"})
    history.log_metrics(run_id, 0, 1, {"reward": 1.0, "kl": 0.0})
    history.log_metrics(other, 0, 1, {"reward": 9.0})
    first = history.metrics(run_id)
    assert [(m.phase, m.step, m.name, m.value) for m in first] == [(0, 1, "reward", 1.0), (0, 1, "kl", 0.0)]
    history.log_metrics(run_id, 0, 2, {"reward": 2.0})
    assert [(m.step, m.value) for m in history.metrics(run_id, after=first[-1].id)] == [(2, 2.0)]


def test_a_repeated_step_replaces_its_value_with_a_new_id(history: History, run_id: str) -> None:
    history.log_metrics(run_id, 0, 1, {"reward": 1.0})
    history.log_metrics(run_id, 0, 2, {"reward": 2.0})
    last = history.metrics(run_id)[-1].id
    history.log_metrics(run_id, 0, 1, {"reward": 1.5})
    assert [(m.step, m.value) for m in history.metrics(run_id, after=last)] == [(1, 1.5)]
    assert [(m.step, m.value) for m in history.metrics(run_id)] == [(2, 2.0), (1, 1.5)]


def test_ids_grow_even_after_the_newest_run_is_deleted(history: History, run_id: str) -> None:
    history.log_metrics(run_id, 0, 1, {"reward": 1.0})
    last = history.metrics(run_id)[-1].id
    history.delete_run(run_id)
    newer = history.create_run(preset=None, settings={"data": "household"})
    history.log_metrics(newer, 0, 1, {"reward": 1.0})
    assert history.metrics(newer)[0].id > last


def test_metrics_by_name(history: History, run_id: str) -> None:
    history.log_metrics(run_id, 0, 1, {"reward": 1.0, "kl": 0.1, "loss": 2.0})
    assert [m.name for m in history.metrics(run_id, names=["loss", "kl"])] == ["kl", "loss"]
    assert history.metrics(run_id, names=[]) == []


def test_values_that_are_not_finite_are_stored(history: History, run_id: str) -> None:
    history.log_metrics(run_id, 0, 1, {"loss": math.nan, "kl": math.inf})
    nan, infinity = history.metrics(run_id)
    assert math.isnan(nan.value)
    assert infinity.value == math.inf


def test_a_long_history_stays_fast(history: History, run_id: str) -> None:
    with history._writing() as db:
        db.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000) "
            "INSERT INTO metrics (run, phase, step, name, value) SELECT ?, 0, i, 'loss', 1.0 FROM n",
            [run_id],
        )
    other = history.create_run(preset=None, settings={"data": "household"})
    history.log_metrics(other, 0, 1, {"reward": 1.0})
    last = history.metrics(other)[-1].id
    history.log_metrics(run_id, 0, 300001, {"loss": 2.0})
    start = time.perf_counter()
    for _ in range(20):
        assert len(history.runs()) == 2
        assert len(history.metrics(run_id, after=last)) == 1
        assert len(history.metrics(run_id, names=["loss"], after=last)) == 1
        assert len(history.metrics(other)) == 1
    assert (time.perf_counter() - start) / 20 < 0.05


def test_a_resumed_phase_keeps_its_start(history: History, run_id: str) -> None:
    history.start_phase(run_id, 0, 1, "forward", 60)
    history.finish_phase(run_id, 0)
    history.start_phase(run_id, 1, 1, "inverse", 60)
    first, second = history.phases(run_id)
    assert (first.direction, first.steps, bool(first.finished)) == ("forward", 60, True)
    assert (second.index, second.iteration, second.finished) == (1, 1, None)
    history.start_phase(run_id, 0, 1, "forward", 60)
    again = history.phases(run_id)[0]
    assert (again.started, again.finished) == (first.started, None)


def test_rollouts_come_newest_first_and_a_repeated_step_replaces_them(history: History, run_id: str) -> None:
    history.log_rollouts(run_id, 0, 1, [rollout("a"), rollout("b")])
    history.log_rollouts(run_id, 0, 2, [rollout("c")])
    history.log_rollouts(run_id, 1, 1, [rollout("d")])
    assert [r.samples[0] for r in history.rollouts(run_id)] == ["d", "c", "a", "b"]
    history.log_rollouts(run_id, 0, 1, [rollout("e")])
    assert [r.samples[0] for r in history.rollouts(run_id)] == ["d", "c", "e"]
    assert [r.samples[0] for r in history.rollouts(run_id, phase=0)] == ["c", "e"]
    assert [r.samples[0] for r in history.rollouts(run_id, phase=0, step=1)] == ["e"]
    newest = history.rollouts(run_id, limit=1)
    assert [(r.samples, r.rewards, r.advantages) for r in newest] == [(("d", "ü"), (-1.0, -2.5), (0.7, -0.7))]


def test_checkpoints_are_named_by_iteration(history: History, run_id: str) -> None:
    names = [
        history.add_checkpoint(run_id, index=i, iteration=iteration, phase=phase, path=f"c{i}", scores={"a/b": i / 4})
        for i, (iteration, phase) in enumerate([(0, "warm-up"), (1, "forward"), (1, "inverse"), (2, "forward")])
    ]
    assert names == [f"{run_id}@{tail}" for tail in ("0", "1-forward", "1", "2-forward")]
    assert [c.name for c in history.checkpoints(run_id)] == names
    assert history.checkpoints(run_id)[3].scores == {"a/b": 0.75}


def test_an_iteration_that_begins_with_the_inverse_phase_is_complete_after_the_forward_one(
    history: History, run_id: str
) -> None:
    phases = [(0, "warm-up"), (1, "inverse"), (1, "forward"), (2, "inverse"), (2, "forward")]
    for _ in range(2):  # recorded again, a checkpoint keeps its name
        names = [
            history.add_checkpoint(run_id, index=i, iteration=iteration, phase=phase, path=f"c{i}", scores={})
            for i, (iteration, phase) in enumerate(phases)
        ]
        assert names == [f"{run_id}@{tail}" for tail in ("0", "1-inverse", "1", "2-inverse", "2")]


def test_one_checkpoint_is_best_and_stays_so_when_recorded_again(history: History, run_id: str) -> None:
    for index in range(3):
        history.add_checkpoint(run_id, index=index, iteration=index, phase="inverse", path="p", scores={})
    history.mark_best(run_id, 2)
    history.mark_best(run_id, 1)
    history.add_checkpoint(run_id, index=1, iteration=1, phase="inverse", path="q", scores={"forward/rouge_l": 0.5})
    assert [(c.best, c.path) for c in history.checkpoints(run_id)] == [(False, "p"), (True, "q"), (False, "p")]


def test_evaluations_filter_by_checkpoint_and_data(history: History, run_id: str) -> None:
    score = {"forward/exact_match": {"value": 0.5, "low": 0.4, "high": 0.6}}
    first = history.add_evaluation(checkpoint=f"{run_id}@1", data="household", metrics=score)
    second = history.add_evaluation(checkpoint="tiny-household", data="household", metrics={})
    third = history.add_evaluation(checkpoint="tiny-household", data="scienceworld", metrics={})
    assert [e.id for e in history.evaluations()] == [third, second, first]
    assert [e.id for e in history.evaluations(data="household")] == [second, first]
    assert [e.id for e in history.evaluations(checkpoint="tiny-household", data="scienceworld")] == [third]
    assert history.evaluations(checkpoint=f"{run_id}@1")[0].metrics == score
    history.delete_run(run_id)
    assert [e.id for e in history.evaluations()] == [third, second]
