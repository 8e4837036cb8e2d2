"""The recorder of a training step's parts: disjoint times, tokens, operations as they were executed."""

from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import PrinterCallback

from swirl.models import load_world_model
from swirl.models.cpu_products import arrange_weight, multiply, pad_rows
from swirl.settings import Settings
from swirl.states import Transition
from swirl.training.grpo_phase import build_grpo_trainer
from swirl.training.step_parts import PARTS, StepParts
from swirl.worlds.household import Household


class Clock:
    """A clock that goes on only when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def perf_counter(self) -> float:
        return self.now

    def work(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the recorder."""
    clock = Clock()
    monkeypatch.setattr("swirl.training.step_parts.time", clock)
    return clock


def test_parts_are_disjoint_and_the_rest_is_what_no_part_claims(clock: Clock) -> None:
    parts = StepParts()
    parts.begin_step()
    clock.work(1)
    with parts.time_part("sampling") as sampling:
        clock.work(2)
        with parts.time_part("partner", tokens=3):
            clock.work(4)
        sampling.tokens += 5
    clock.work(8)
    parts.start_update(7)
    clock.work(16)
    with parts.time_part("reference", tokens=2):
        clock.work(32)
    parts.start_update(1)
    clock.work(64)
    parts.finish_step()
    clock.work(128)

    (step,) = parts.steps
    assert tuple(step) == PARTS
    assert {name: (record.seconds, record.tokens) for name, record in step.items()} == {
        "sampling": (2, 5),
        "partner": (4, 3),
        "reference": (32, 2),
        "update": (80, 8),
        "rest": (9, 0),
    }


def test_parts_entered_twice_add_up_and_steps_are_separate(clock: Clock) -> None:
    parts = StepParts()
    for _ in range(2):
        parts.begin_step()
        for _ in range(3):
            with parts.time_part("partner", tokens=2):
                clock.work(4)
        parts.finish_step()
    assert [(step["partner"].seconds, step["partner"].tokens) for step in parts.steps] == [(12, 6), (12, 6)]


def test_an_error_in_a_part_leaves_the_recorder_usable(clock: Clock) -> None:
    parts = StepParts()
    parts.begin_step()
    with pytest.raises(KeyError), parts.time_part("sampling"):
        clock.work(1)
        raise KeyError
    clock.work(2)
    parts.finish_step()
    assert (parts.steps[0]["sampling"].seconds, parts.steps[0]["rest"].seconds) == (1, 2)


def test_nothing_is_recorded_outside_of_a_step_or_when_switched_off() -> None:
    parts, off = StepParts(), StepParts(enabled=False)
    off.begin_step()
    for recorder in (parts, off):
        with recorder.time_part("sampling") as record:
            record.tokens += 1
        recorder.start_update(3)
        recorder.finish_step()
        assert recorder.steps == []


def test_operations_are_counted_part_by_part_with_the_backward_pass_and_attention() -> None:
    parts = StepParts()
    weight, rows = torch.rand(8, 16, requires_grad=True), torch.rand(4, 8)
    heads = torch.rand(1, 2, 6, 8)
    parts.count_operations = True
    parts.begin_step()
    with parts.time_part("sampling"), torch.no_grad():
        rows @ weight
    with parts.time_part("reference"), torch.no_grad():
        scaled_dot_product_attention(heads, heads, heads)
    parts.start_update()
    (rows @ weight).sum().backward()
    parts.finish_step()
    parts.count_operations = False
    parts.begin_step()
    with parts.time_part("sampling"):
        rows @ weight
    parts.finish_step()
    parts.count_operations = True
    parts.begin_step()
    attended = scaled_dot_product_attention(heads.requires_grad_(), heads, heads)
    parts.start_update()
    attended.sum().backward()
    parts.finish_step()

    counted, timed, attention = parts.steps
    assert counted["sampling"].operations == 2 * 4 * 8 * 16
    assert counted["reference"].operations == 2 * (2 * 2 * 6 * 6 * 8)  # Q K^T and its product with V, in two heads
    assert counted["update"].operations == 2 * (2 * 4 * 8 * 16)  # forward, and the gradient of the weight alone
    assert timed["sampling"].operations == 0
    # Backward: Q K^T once more, and the gradients of its two inputs and of those of the product with V.
    assert attention["update"].operations == 5 * (2 * 2 * 6 * 6 * 8)


def test_products_by_onednn_are_counted_like_others() -> None:
    parts = StepParts()
    weight, rows = torch.rand(200, 300), torch.rand(3, 50, 300)
    arranged, computed = arrange_weight(weight), len(pad_rows(rows.reshape(150, 300)))
    parts.count_operations = True
    parts.begin_step()
    with parts.time_part("sampling"):
        multiply(rows, arranged)
    with parts.time_part("partner"):
        multiply(rows, weight)
    parts.finish_step()
    (step,) = parts.steps
    assert step["sampling"].operations == step["partner"].operations == 2 * computed * 200 * 300


@pytest.mark.parametrize(("direction", "answer_tokens"), [("forward", 8), ("inverse", 6)])
def test_the_steps_of_a_phase_are_recorded(direction: str, answer_tokens: int, tiny_base: Path, tmp_path: Path) -> None:
    states = Household().episode(5, 24).states
    transitions = [Transition("five", i, x, y) for i, (x, y) in enumerate(pairwise(states))]
    world = load_world_model(tmp_path, str(tiny_base), "cpu")
    settings = Settings().replace(
        {"steps_per_phase": 2, "batch_size": 2, "group_size": 3, "max_action_tokens": 6, "max_state_tokens": 8}
    )
    world.max_state_tokens, world.end_ids = 8, set()  # so that every answer has as many tokens as it may
    parts = StepParts()
    parts.count_operations = True
    trainer = build_grpo_trainer(world, direction, transitions, settings, tmp_path / "phase", 1, parts=parts)
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    assert len(parts.steps) == 2
    # Before the first update the reference is the trainee itself.
    assert [step["reference"].tokens for step in parts.steps] == [0, 6 * answer_tokens]
    for step in parts.steps:
        assert step["sampling"].tokens == step["update"].tokens == 6 * answer_tokens
        assert step["partner"].tokens > 0
        for name, record in step.items():
            is_idle = name == "rest" or (name == "reference" and record.tokens == 0)
            assert (record.operations > 0) == (not is_idle), name
            assert record.seconds > 0 or is_idle, name
