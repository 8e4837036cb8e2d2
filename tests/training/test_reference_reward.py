"""The reference's log-probability in the reward: against plain scores, in both directions, and under which weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from noisy_trainer import build_noisy_trainer
from small_runs import TWO_STEPS

from swirl.methods import METHODS
from swirl.settings import Direction, Settings
from swirl.states import Transition
from swirl.training.grpo_phase import SharedPromptTrainer

KINDS = ("tags", "pictures")


def build(
    kind: str, direction: Direction, request: pytest.FixtureRequest, folder: Path, **changes
) -> SharedPromptTrainer:
    settings = {**TWO_STEPS, "reward": "sum", "reward_clamp": None, **changes}
    return build_noisy_trainer(kind, direction, request, folder, settings)


def draw(trainer: SharedPromptTrainer, direction: Direction) -> tuple[list[Transition], list[str], list[list[int]]]:
    """Two transitions with two rollouts each, and the action of each row."""
    rows = [trainer.rollouts.transitions[index] for index in (0, 0, 3, 3)]
    world = trainer.world
    if direction == "forward":
        completions = [world.state_completion(rows[index].next_state) for index in (0, 2, 1, 0)]
    else:
        completions = [world.completion(action) for action in ("open", "take it", "open", "go")]
    return rows, ["open", "open", "go", "go"], completions


def rewards_of(trainer: SharedPromptTrainer, rows: list[Transition], actions: list[str], completions: list) -> tuple:
    logged: dict[str, float] = {}
    prompts = [[trainer.rollouts.transitions.index(row)] for row in rows]
    (reward,) = trainer.reward_funcs
    return reward(prompts, completions, logged.__setitem__, actions), logged


@pytest.mark.parametrize("direction", ["forward", "inverse"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_reward_is_the_sum_of_both_models_scores(
    kind: str, direction: Direction, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    plain = build(kind, direction, request, tmp_path / "plain", group_size=2)
    both = build(kind, direction, request, tmp_path / "both", group_size=2, reference_reward=0.5)
    rows, actions, completions = draw(both, direction)
    partner, silent = rewards_of(plain, rows, actions, completions)
    joint, logged = rewards_of(both, rows, actions, completions)
    world, layout = both.world, both.world.layout
    if direction == "forward":
        prompts = [layout.forward_prompt(row.state, z) for row, z in zip(rows, actions, strict=True)]
        own = world.log_prob("fwm", prompts, completions, answer="state")
    else:
        prompts = [layout.inverse_prompt(row.state, row.next_state) for row in rows]
        own = world.log_prob("idm", prompts, completions, answer="action")
    expected = [a + 0.5 * score.total for a, score in zip(partner, own, strict=True)]
    assert joint == pytest.approx(expected, abs=1e-4)
    assert max(abs(a - b) for a, b in zip(joint, partner, strict=True)) > 0.1
    assert logged["reference_total"] == pytest.approx(sum(score.total for score in own) / 4, abs=1e-4)
    assert "reference_total" not in silent


def test_the_reference_stays_that_of_the_phases_start(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    trainer = build("tags", "inverse", request, tmp_path, group_size=2, reference_reward=1.0)
    rows, actions, completions = draw(trainer, "inverse")
    before, _ = rewards_of(trainer, rows, actions, completions)
    with torch.no_grad():
        for name, parameter in trainer.world.model.named_parameters():
            if "lora_" in name and ".idm." in name:
                parameter.add_(0.5)
    after, _ = rewards_of(trainer, rows, actions, completions)
    assert after == pytest.approx(before, abs=1e-5)


def test_the_method_rewards_by_totals_of_both_models() -> None:
    settings = Settings().replace(METHODS["joint-reward"].changes)
    for direction in ("forward", "inverse"):
        phase = settings.for_phase(direction)
        assert (phase.reward, phase.reward_clamp, phase.reference_reward) == ("sum", None, 1.0)
    assert METHODS["joint-reward"].mutual
    assert all(m.changes["reference_reward"] == 0 for name, m in METHODS.items() if name != "joint-reward")
