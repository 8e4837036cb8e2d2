"""Extensions of the reward: what each adds or takes, and that none changes anything while it is off."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from swirl.models import load_world_model
from swirl.models.world_model import WorldModel
from swirl.settings import Settings
from swirl.states import State, Transition
from swirl.training import reward_extensions as extensions
from swirl.training.grpo_phase import build_grpo_trainer
from swirl.worlds.blocks import Blocks

STEP = Transition("s", 0, State("you are in hall. lamp is on. cup in hall."), State("you are in attic. lamp is on."))


@pytest.fixture
def world(tiny_base: Path, tmp_path: Path) -> WorldModel:
    return load_world_model(tmp_path, str(tiny_base), "cpu")


def extend(world: WorldModel, direction: str, rewards: list[float], texts: list[str], **changes: object):
    settings = Settings().replace({"group_size": len(texts), **changes})
    completions = [world.completion(text) for text in texts]
    return extensions.extend_rewards(rewards, world, direction, [STEP] * len(texts), completions, settings)


@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_none_is_on_by_default(world: WorldModel, direction: str) -> None:
    assert extend(world, direction, [-1.0, -2.0], ["a", "b"]) == ([-1.0, -2.0], {})


def test_observed_reward_prefers_what_was_observed(world: WorldModel) -> None:
    texts = [STEP.next_state.text, "you are in cellar.", "lamp is on."]
    alone, figures = extend(world, "forward", [-3.0, -1.0, -2.0], texts, observed_reward=1.0)
    assert alone[0] > alone[2] > alone[1] and sum(alone) == pytest.approx(0, abs=1e-6)
    assert 0 < figures["observed_likeness"] < 1
    half, _ = extend(world, "forward", [-3.0, -1.0, -2.0], texts, observed_reward=0.5)
    critic = extensions.standardise([-3.0, -1.0, -2.0], 3)
    assert half == pytest.approx([(a + b) / 2 for a, b in zip(critic, alone, strict=True)])


def test_likeness_and_drift_of_texts(world: WorldModel) -> None:
    def values(text: str) -> tuple[float, float]:
        ids = world.completion(text)
        return extensions.observed_likeness(world, STEP, ids), extensions.lost_share(world, STEP, ids)

    assert values(STEP.next_state.text) == (1.0, 0.0)
    likeness, lost = values("you are in attic.")
    assert likeness == pytest.approx(2 * 4 / (7 + 4)) and lost == pytest.approx(3 / 6)


def test_drift_penalty_is_subtracted(world: WorldModel) -> None:
    rewards, figures = extend(
        world, "forward", [-1.0, -1.0], [STEP.next_state.text, "you are in attic."], drift_penalty=2.0
    )
    assert rewards == pytest.approx([-1.0, -2.0]) and figures["drift"] == pytest.approx(0.25)


def test_pictures_are_compared_code_by_code(tiny_pictures: Path, tmp_path: Path) -> None:
    world = load_world_model(tmp_path, str(tiny_pictures), "cpu")
    states = Blocks().episode(5, 6).states
    step = next(Transition("b", i, x, y) for i, (x, y) in enumerate(pairwise(states)) if x != y)
    before, after = world.state_completion(step.state), world.state_completion(step.next_state)
    assert extensions.observed_likeness(world, step, after) == 1.0
    assert extensions.lost_share(world, step, after) == 0.0
    equal = sum(a == b for a, b in zip(before, after, strict=True)) / len(after)
    assert extensions.observed_likeness(world, step, before) == pytest.approx(equal)
    assert extensions.leaked_share(step, "push") == 0.0


def test_words_from_the_next_state_alone_are_penalised(world: WorldModel) -> None:
    rewards, figures = extend(world, "inverse", [-1.0, -1.0], ["go attic", "go up"], overlap_penalty=3.0)
    assert rewards == pytest.approx([-1.0 - 3.0 / 2, -1.0]) and figures["overlap"] == pytest.approx(0.25)


def test_long_actions_get_the_lowest_reward_of_their_group(world: WorldModel) -> None:
    long = "go to the attic and take the cup"
    cap = len(world.codec.encode("go up"))
    rewards, figures = extend(world, "inverse", [-1.0, -3.0, -2.0], [long, "go up", "go"], action_cap=cap)
    assert rewards == [-3.0, -3.0, -2.0] and figures["over_cap"] == pytest.approx(1 / 3)


def test_easy_groups_have_no_advantage() -> None:
    rewards, skipped = extensions.level_easy_groups([-1.0, -1.001, -1.0, -3.0], 0.1, 2)
    assert rewards == pytest.approx([-1.0005, -1.0005, -1.0, -3.0]) and skipped == 0.5


def test_a_phase_runs_with_all_of_them(tiny_base: Path, tmp_path: Path) -> None:
    world = load_world_model(tmp_path, str(tiny_base), "cpu")
    steps = [Transition("s", i, STEP.state, STEP.next_state) for i in range(4)]
    changes = {"observed_reward": 0.5, "drift_penalty": 1.0, "overlap_penalty": 1.0, "action_cap": 4}
    for direction in ("forward", "inverse"):
        settings = Settings().replace(
            {
                **changes,
                "min_reward_spread": 0.01,
                "steps_per_phase": 2,
                "batch_size": 2,
                "group_size": 3,
                "max_action_tokens": 6,
                "max_state_tokens": 12,
            }
        )
        trainer = build_grpo_trainer(world, direction, steps, settings, tmp_path / direction, 1)
        trainer.train()
        logged = {name for entry in trainer.state.log_history for name in entry}
        expected = {"observed_likeness", "drift"} if direction == "forward" else {"overlap", "over_cap"}
        assert {*expected, "groups_skipped"} <= logged
