"""`report_to`: a tracker receives a run's metrics under the history's names, with steps counted through the run."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from studio.view_models.start_form import check_references
from swirl.errors import UsageError
from swirl.history import History
from swirl.runs import jobs
from swirl.settings import Settings
from swirl.training import trackers


class FakeTracker(ModuleType):
    """The interface that trackio and wandb share; it records all calls."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__spec__ = sys.modules[__name__].__spec__  # importlib needs one
        self.calls: list[Any] = []

    def init(self, **options: Any) -> FakeTracker:
        self.calls.append(("init", options))
        return self

    def log(self, values: dict[str, float], step: int) -> None:
        self.calls.append(("log", step, values))

    def finish(self) -> None:
        self.calls.append(("finish",))


@pytest.fixture(params=["trackio", "wandb"])
def tracker(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> FakeTracker:
    fake = FakeTracker(request.param)
    monkeypatch.setitem(sys.modules, request.param, fake)
    return fake


def started(home: Path, report_to: str) -> str:
    settings = Settings().replace({"report_to": report_to})
    return History(home).create_run(preset=None, settings=settings.to_dict())


def test_figures_have_our_names_and_count_through_the_run(tmp_path: Path, tracker: FakeTracker) -> None:
    run = started(tmp_path, tracker.__name__)
    past = trackers.open_tracked_history(tmp_path, run)
    past.start_phase(run, 0, 0, "warm-up", 0)
    past.start_phase(run, 1, 1, "forward", 50)
    past.log_metrics(run, 1, 50, {"reward": -0.5, "kl": 0.01})
    past.add_checkpoint(run, index=1, iteration=1, phase="forward", path="x", scores={"forward/exact_match": 0.7})
    past.start_phase(run, 2, 1, "inverse", 12)
    past.log_metrics(run, 2, 3, {"reward": -0.4})
    opened = tracker.calls[0][1]
    assert opened["project"] == "swirl" and opened["name"].startswith(f"{run}-20") and opened["resume"] == "allow"
    assert opened["config"]["report_to"] == tracker.__name__
    assert tracker.calls[1:] == [
        ("log", 50, {"reward": -0.5, "kl": 0.01, "phase": 1}),
        ("log", 50, {"forward/exact_match": 0.7}),
        ("log", 53, {"reward": -0.4, "phase": 2}),
    ]
    assert {metric.name for metric in History(tmp_path).metrics(run)} == {"reward", "kl"}


def test_nothing_is_reported_unless_asked_for(tmp_path: Path, tracker: FakeTracker) -> None:
    past = trackers.open_tracked_history(tmp_path, run := started(tmp_path, "none"))
    past.start_phase(run, 0, 0, "forward", 1)
    past.log_metrics(run, 0, 1, {"reward": 0.1})
    assert type(past) is History and tracker.calls == []


@pytest.mark.parametrize("missing", trackers.TRACKERS)
def test_a_tracker_that_is_not_installed_is_named_before_anything_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setattr(trackers.importlib.util, "find_spec", lambda name: None)
    settings = Settings().replace({"report_to": missing})
    with pytest.raises(UsageError, match=f"needs the package {missing}: pip install {missing}"):
        jobs.start(tmp_path, preset=None, settings=settings)
    assert History(tmp_path).runs() == [] and not (tmp_path / "runs").exists()
    assert "pip install" in check_references(tmp_path, settings)["report_to"]


def test_an_unknown_tracker_is_refused_with_those_there_are() -> None:
    with pytest.raises(UsageError, match="none, trackio, wandb, tensorboard"):
        Settings().replace({"report_to": "mlflow"})


def test_tensorboard_gets_an_event_file_in_the_runs_folder(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    past = trackers.open_tracked_history(tmp_path, run := started(tmp_path, "tensorboard"))
    past.start_phase(run, 0, 0, "forward", 2)
    past.log_metrics(run, 0, 2, {"reward": 0.25})
    events = EventAccumulator(str(tmp_path / "runs" / run / "tensorboard")).Reload()
    assert [(e.step, e.value) for e in events.Scalars("reward")] == [(2, 0.25)]
