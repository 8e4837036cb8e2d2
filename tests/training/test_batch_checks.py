"""Batches that cannot work are refused when a run is created, or at its start, not when a phase needs them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from small_runs import SMALL_RUN

from studio.view_models.start_form import check_references
from swirl.errors import UsageError
from swirl.history import History
from swirl.runs import jobs
from swirl.settings import Settings
from swirl.sources.collections.importing import import_collection
from swirl.training.batch_checks import require_fitting_batches
from swirl.training.schedule import plan_phases

TOO_MANY_PASSES = {"inverse.accumulation": 9}
"""For a step of four prompts with two rollouts each, in the last phase of a run."""


def settings_of(model: Path, **changes: Any) -> Settings:
    return Settings().replace({**SMALL_RUN, "model": str(model), **changes})


def test_more_passes_than_rollouts_are_refused_before_anything_is_stored(tiny_base: Path, tmp_path: Path) -> None:
    settings = settings_of(tiny_base, **TOO_MANY_PASSES)
    with pytest.raises(UsageError, match="accumulation=9 is more than the 8 rollouts of a step; set it to 8 or less"):
        jobs.create_foreground_run(tmp_path, preset=None, settings=settings)
    assert History(tmp_path).runs() == []
    assert check_references(tmp_path, settings)["accumulation"].startswith("accumulation=9 is more than")


@pytest.mark.parametrize("changes", [{"method": "sft"}, {"inverse.steps_per_phase": 0}, {"iterations": 0}])
def test_only_phases_that_learn_from_rewards_are_checked(
    changes: dict[str, Any], tiny_base: Path, tmp_path: Path
) -> None:
    settings = settings_of(tiny_base, **TOO_MANY_PASSES, **changes)
    assert jobs.create_foreground_run(tmp_path, preset=None, settings=settings)
    assert "accumulation" not in check_references(tmp_path, settings)


def test_a_batch_that_the_processes_cannot_share_is_refused_when_the_run_is_created(
    tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(UsageError, match="batch_size=4 cannot be split evenly over 3 processes"):
        jobs.create_foreground_run(tmp_path, preset=None, settings=settings_of(tiny_base))


def test_the_hybrid_is_checked_for_the_phases_that_it_rewards() -> None:
    settings = Settings().replace({"method": "hybrid", "forward.batch_size": 64, "inverse.batch_size": 8})
    phases = plan_phases(settings, 10)
    require_fitting_batches(settings, phases, 1, 8)
    with pytest.raises(UsageError, match="batch_size=8 is more than the 7 training transitions"):
        require_fitting_batches(settings, phases, 1, 7)


@pytest.mark.slow
def test_a_batch_of_more_prompts_than_there_are_fails_before_the_warm_up(tiny_base: Path, tmp_path: Path) -> None:
    source, labels = tmp_path / "talk.jsonl", tmp_path / "labels.jsonl"
    rows = [{"id": f"s{i}", "states": [f"room {i} is dark", f"room {i} is lit"]} for i in range(10)]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    import_collection(tmp_path, source, "talk")
    labels.write_text(json.dumps({"state": "room 1 is dark", "action": "go", "next_state": "room 1 is lit"}))
    settings = settings_of(
        tiny_base, data="talk", labels=str(labels), warm_up_epochs=2, method="hybrid", **{"inverse.batch_size": 40}
    )
    run_id = jobs.create_foreground_run(tmp_path, preset=None, settings=settings)
    jobs.train_in_foreground(tmp_path, run_id)
    history = History(tmp_path)
    run = history.run(run_id)
    assert run.status == "failed"
    assert run.error is not None and run.error.startswith("batch_size=40 is more than the ")
    assert history.phases(run_id) == [] and history.metrics(run_id) == [], "it was warmed up first"
