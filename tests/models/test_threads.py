"""The number of CPU threads is measured: as few as are about as fast, fewer while the machine is busy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from swirl import devices
from swirl.models import load_world_model, thread_count
from swirl.models.thread_count import ThreadTuner, choose_thread_count
from swirl.models.world_model import WorldModel


@pytest.fixture(autouse=True)
def unfixed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """OMP_NUM_THREADS is not set, two cores can be used, and the number of threads is as before in the end."""
    monkeypatch.delenv(thread_count.FIXED_BY, raising=False)
    monkeypatch.setattr(thread_count, "candidate_counts", lambda: [1, 2])
    with thread_count.restored_thread_count():
        yield


@pytest.fixture
def world(tiny_base: Path, tmp_path: Path) -> WorldModel:
    return load_world_model(tmp_path, str(tiny_base), "cpu", "float32")


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> dict[int, float]:
    """What each number of threads takes on a machine without other work, to be changed by the test."""
    monkeypatch.setattr(devices.OtherLoad, "busy_cores", lambda self: 0.0)
    monkeypatch.setattr(thread_count.os, "cpu_count", lambda: 2)
    taken = {1: 1.0, 2: 0.6}
    monkeypatch.setattr(thread_count, "representative_pass", lambda model: lambda: None)
    monkeypatch.setattr(thread_count, "measure_thread_counts", lambda work, counts: dict(taken))
    return taken


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """clock(SECONDS) lets so many seconds pass."""
    now = [1000.0]
    monkeypatch.setattr(thread_count.time, "monotonic", lambda: now[0])

    def advance(seconds: float) -> None:
        now[0] += seconds

    return advance


@pytest.mark.parametrize(
    ("taken", "current", "chosen"),
    [
        ({1: 1.0, 2: 0.6}, None, 2),
        ({1: 1.0, 2: 0.97}, None, 1),  # no more threads than help
        ({1: 1.0, 2: 0.55, 4: 0.54, 8: 0.9}, None, 2),
        ({1: 1.0, 2: 0.9}, 1, 1),  # too little to change for
        ({1: 1.0, 2: 0.8}, 1, 2),
        ({1: 1.0, 2: 0.93}, 2, 2),
        ({1: 1.0, 2: 0.98}, 2, 1),
        ({1: 1.0, 2: 3.0}, 2, 1),
        ({1: 1.0, 2: 0.8}, 6, 2),
    ],
)
def test_the_least_number_that_is_about_as_fast_is_chosen(taken: dict[int, float], current, chosen: int) -> None:
    assert choose_thread_count(taken, current) == chosen


def test_a_small_model_infers_with_one_thread_and_its_training_is_measured(world: WorldModel, seconds) -> None:
    assert world.is_small
    with thread_count.threads_for_inference(world):
        assert torch.get_num_threads() == 1
    tuner = ThreadTuner(world, training=True)
    tuner.apply()
    assert (tuner.count, torch.get_num_threads(), tuner.describe()) == (2, 2, "2 threads")


def test_the_number_of_the_environment_wins(world: WorldModel, seconds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(thread_count.FIXED_BY, "3")
    monkeypatch.setattr(thread_count, "DEFAULT_THREAD_COUNT", 3)
    for training in (False, True):
        tuner = ThreadTuner(world, training=training)
        tuner.apply()
        assert not tuner.after_step(1e9)
        assert (torch.get_num_threads(), tuner.describe()) == (3, "3 threads (OMP_NUM_THREADS)")


def test_a_busy_machine_gets_fewer_threads_and_a_quiet_one_more_again(world: WorldModel, seconds, clock) -> None:
    tuner = ThreadTuner(world, training=True)
    tuner.apply()
    assert tuner.count == 2
    seconds[2] = 5.0
    assert not tuner.after_step(1.0)  # measured just now
    clock(thread_count.MIN_RECHECK_SECONDS + 1)
    assert not tuner.after_step(1.0)
    assert tuner.after_step(4.0)  # so slow a step is a reason to look again
    assert tuner.count == torch.get_num_threads() == 1
    seconds[2] = 0.6
    clock(thread_count.MIN_RECHECK_SECONDS + 1)
    assert not tuner.after_step(4.0)
    clock(thread_count.RECHECK_SECONDS)
    assert tuner.after_step(4.0)
    assert tuner.count == torch.get_num_threads() == 2


def test_measuring_takes_no_more_than_its_share(world: WorldModel, seconds, clock, monkeypatch) -> None:
    def slow(work: object, counts: object) -> dict[int, float]:
        clock(5.0)
        return dict(seconds)

    monkeypatch.setattr(thread_count, "measure_thread_counts", slow)
    tuner = ThreadTuner(world, training=True)
    tuner.apply()
    clock(400.0)
    assert not tuner.after_step(1.0)
    clock(101.0)
    assert tuner.after_step(1.0)


def test_no_more_threads_than_free_cores_are_tried(world: WorldModel, seconds, clock, monkeypatch) -> None:
    def fail(work: object, counts: object) -> dict[int, float]:
        raise AssertionError

    monkeypatch.setattr(devices.OtherLoad, "busy_cores", lambda self: 1.0)
    monkeypatch.setattr(thread_count, "measure_thread_counts", fail)
    tuner = ThreadTuner(world, training=True)
    tuner.apply()
    assert tuner.count == torch.get_num_threads() == 1


def test_a_number_that_is_far_slower_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []
    pace = {1: 0.2, 2: 0.1, 4: 0.5}

    def time_once(work: object) -> float:
        tried.append(torch.get_num_threads())
        return pace[tried[-1]]

    monkeypatch.setattr(thread_count, "time_once", time_once)
    assert thread_count.measure_thread_counts(lambda: None, [1, 2, 4]) == pace
    assert tried == [1, 2, 4, 1, 2, 1, 2]


def test_a_model_in_use_is_measured_once_in_a_while(world: WorldModel, seconds, clock) -> None:
    world._is_small = False
    thread_count.set_threads_for_inference(world)
    assert torch.get_num_threads() == 2
    seconds[2] = 5.0
    thread_count.set_threads_for_inference(world)
    assert torch.get_num_threads() == 2
    clock(thread_count.RECHECK_SECONDS)
    thread_count.set_threads_for_inference(world)
    assert torch.get_num_threads() == 1


def test_a_measurement_leaves_weights_and_random_numbers_alone(world: WorldModel) -> None:
    world.model.train()
    world.model.set_adapter("idm")
    before = {name: (value.clone(), value.requires_grad) for name, value in world.model.named_parameters()}
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    taken = thread_count.measure_thread_counts(thread_count.representative_pass(world), [1, 2])
    assert torch.equal(torch.rand(3), expected)
    assert sorted(taken) == [1, 2] and all(0 < value < 60 for value in taken.values())
    assert world.model.training and world.model.active_adapter == "idm"
    for name, value in world.model.named_parameters():
        assert torch.equal(value, before[name][0]) and value.requires_grad == before[name][1]


def test_other_work_takes_threads_away_between_two_passes(world: WorldModel, seconds, clock, monkeypatch) -> None:
    busy = [0.1]
    monkeypatch.setattr(devices.OtherLoad, "busy_cores", lambda self: busy[0])
    tuner = ThreadTuner(world, training=True)
    tuner.apply()

    def score() -> int:
        row = [world.codec.encode("you are in hall.")]
        world.log_prob("fwm", row, row, answer="state")
        return torch.get_num_threads()

    assert score() == 2
    busy[0] = 0.7
    assert score() == 2  # looked at just now
    clock(thread_count.LOOK_SECONDS)
    assert score() == tuner.count == 1
    busy[0] = 0.0
    clock(thread_count.LOOK_SECONDS)
    assert score() == tuner.count == 2


def test_what_others_did_before_a_question_does_not_count(world: WorldModel, seconds, clock, monkeypatch) -> None:
    busy_since_asked = [0.0]

    def ask(load: devices.OtherLoad) -> float:
        busy, busy_since_asked[0] = busy_since_asked[0], 0.0
        return busy

    monkeypatch.setattr(devices.OtherLoad, "busy_cores", ask)
    tuner = ThreadTuner(world, training=True)
    tuner.apply()
    row = [world.codec.encode("you are in hall.")]

    def question(work_of_others: float) -> int:
        clock(thread_count.LOOK_SECONDS)
        busy_since_asked[0] = 2.0  # a page is opened
        tuner.apply()
        clock(thread_count.FIRST_LOOK_SECONDS)
        busy_since_asked[0] = work_of_others
        world.log_prob("fwm", row, row, answer="state")
        return torch.get_num_threads()

    assert question(0.1) == 2
    assert question(0.9) == 1
