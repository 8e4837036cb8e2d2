"""One GRPO phase of a real, very small model with the real trainer."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
import torch
from figures import Figures
from transformers import PrinterCallback

from swirl.errors import UsageError
from swirl.models import load_world_model
from swirl.models.world_model import WorldModel
from swirl.settings import Settings
from swirl.states import State, Transition
from swirl.training.grpo_phase import build_grpo_trainer
from swirl.worlds.blocks import Blocks
from swirl.worlds.household import Household

SMALL = {
    "steps_per_phase": 3,
    "batch_size": 4,
    "group_size": 4,
    "learning_rate": 0.01,
    "max_action_tokens": 6,
    "max_state_tokens": 8,
    "reward_clamp": None,
}


@pytest.fixture(scope="module")
def transitions() -> list[Transition]:
    states = Household().episode(5, 24).states
    return [Transition("five", i, x, y) for i, (x, y) in enumerate(pairwise(states))]


@pytest.fixture(scope="module")
def frames() -> list[Transition]:
    states = Blocks().episode(5, 24).states
    return [Transition("five", i, x, y) for i, (x, y) in enumerate(pairwise(states))]


def weights(world: WorldModel, adapter: str) -> dict[str, torch.Tensor]:
    return {n: p.detach().clone() for n, p in world.model.named_parameters() if f".{adapter}." in n}


def run(world: WorldModel, direction: str, transitions: list[Transition], folder: Path, **changes) -> Figures:
    figures = Figures()
    settings = Settings().replace({**SMALL, **changes})
    trainer = build_grpo_trainer(world, direction, transitions, settings, folder, 1, [figures])
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    return figures


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(value, b[name]) for name, value in a.items())


@pytest.mark.parametrize("kind", ["tags", "chat", "pictures"])
@pytest.mark.parametrize(("direction", "trainee", "partner"), [("forward", "fwm", "idm"), ("inverse", "idm", "fwm")])
def test_only_the_trainee_learns(kind, direction, trainee, partner, request, tmp_path) -> None:
    base = request.getfixturevalue({"tags": "tiny_base", "chat": "tiny_qwen", "pictures": "tiny_pictures"}[kind])
    transitions = request.getfixturevalue("frames" if kind == "pictures" else "transitions")
    world = load_world_model(tmp_path, str(base), "cpu")
    start, critic = weights(world, trainee), weights(world, partner)
    base = {n: p.detach().clone() for n, p in world.model.named_parameters() if "lora_" not in n}
    figures = run(world, direction, transitions, tmp_path / "phase")
    assert not same(start, weights(world, trainee))
    assert same(critic, weights(world, partner))
    assert same(base, dict(world.model.named_parameters()))
    reference = {name.replace(f".{trainee}.", ".ref."): value for name, value in start.items()}
    assert same(reference, weights(world, "ref"))
    assert figures.rows[0]["kl"] == pytest.approx(0.0, abs=1e-7)
    assert figures.rows[-1]["kl"] > 0


@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_shared_weights_are_judged_by_the_phase_start(direction, tiny_base, transitions, tmp_path) -> None:
    world = load_world_model(tmp_path, str(tiny_base), "cpu", share_weights=True)
    start = weights(world, "fwm")
    run(world, direction, transitions, tmp_path / "phase")
    assert not same(start, weights(world, "fwm"))
    assert same({n.replace(".fwm.", ".ref."): v for n, v in start.items()}, weights(world, "ref"))


@pytest.mark.parametrize("kind", ["text", "pictures"])
def test_the_importance_ratio_is_one(kind, request, tmp_path) -> None:
    """Old and new policy are the same at each step, so nothing is clipped and the loss is -mean(A) + beta KL = 0."""
    world = load_world_model(
        tmp_path, str(request.getfixturevalue("tiny_base" if kind == "text" else "tiny_pictures")), "cpu"
    )
    transitions = request.getfixturevalue("transitions" if kind == "text" else "frames")
    first = run(world, "forward", transitions, tmp_path / "phase", steps_per_phase=1).rows[0]
    # Advantages sum to 0, except for rounding errors of rewards that differ only slightly.
    assert first["loss"] == pytest.approx(0.0, abs=1e-3)


@pytest.mark.slow
def test_the_anchor_pulls_towards_the_observed_state(tiny_base, transitions, tmp_path) -> None:
    likelihood = {}
    for anchor in (0.0, 5.0):
        world = load_world_model(tmp_path, str(tiny_base), "cpu")
        figures = run(
            world, "forward", transitions, tmp_path / str(anchor), anchor=anchor, steps_per_phase=20, accumulation=2
        )
        assert all(("anchor" in row) == bool(anchor) for row in figures.rows)
        actions, ahead = [""] * len(transitions), [t.next_state for t in transitions]
        scores = world.forward_log_prob([t.state for t in transitions], actions, ahead)
        likelihood[anchor] = sum(score.total for score in scores) / sum(score.tokens for score in scores)
    # The base is random and frozen, so the adapter gains little, and without the anchor nothing.
    assert likelihood[5.0] > likelihood[0.0] + 0.1


@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_the_sampler_and_the_trainer_agree_on_every_probability(direction, frames, tiny_pictures, tmp_path) -> None:
    """Old, new and reference log-probabilities belong to the distribution that the rollouts were sampled from."""
    world = load_world_model(tmp_path, str(tiny_pictures), "cpu")
    settings = Settings().replace({**SMALL, "temperature": 0.7})
    trainer = build_grpo_trainer(world, direction, frames, settings, tmp_path / "phase", 1)
    output = trainer.rollouts([[i] for i in range(4) for _ in range(4)], trainer)
    prompts, answers = output["prompt_ids"], output["completion_ids"]
    role = "fwm" if direction == "forward" else "idm"
    answer = "state" if direction == "forward" else "action"
    support = world.token_support(answer)
    assert all(support.low <= token < support.high for row in answers for token in row)
    for prompt, ids in zip(prompts, answers, strict=True):
        row = torch.tensor([prompt + ids])
        labels = row.clone()
        labels[:, : len(prompt)] = -100
        with world.activate_adapter(role) as model, torch.no_grad():
            seen = model(input_ids=row, labels=labels, fused_lm_head=True).log_probs[0, -len(ids) :]
            logits = model(input_ids=row).logits[0, len(prompt) - 1 : -1, support.low : support.high] / 0.7
        expected = logits.log_softmax(-1)[torch.arange(len(ids)), torch.tensor(ids) - support.low]
        assert seen.tolist() == pytest.approx(expected.tolist(), abs=1e-4)


def test_the_observed_state_is_one_of_the_group(tiny_base, transitions, tmp_path) -> None:
    world = load_world_model(tmp_path, str(tiny_base), "cpu")
    settings = Settings().replace({**SMALL, "observed_in_group": True})
    trainer = build_grpo_trainer(world, "forward", transitions, settings, tmp_path / "phase", 1)
    output = trainer.rollouts([[0]] * 4 + [[7]] * 4, trainer)
    for run_start, index in ((0, 0), (4, 7)):
        observed = world.state_completion(transitions[index].next_state)
        group = output["completion_ids"][run_start : run_start + 4]
        assert group[-1] == observed
        assert observed not in group[:-1]


def test_the_reward_is_the_partners_log_probability(tiny_base, transitions, tmp_path) -> None:
    world = load_world_model(tmp_path, str(tiny_base), "cpu")
    settings = Settings().replace({**SMALL, "reward": "sum", "reward_clamp": -30.0})
    trainer = build_grpo_trainer(world, "forward", transitions, settings, tmp_path / "phase", 1)
    reward = trainer.reward_funcs[0]
    predicted = [world.completion("you are in hall."), world.completion("you are in cellar.")]
    actions = ["go to the hall", "take the cup and the key and the apple"]
    got = reward([[0], [0]], predicted, lambda name, value: None, actions)
    states = [transitions[0].state] * 2
    seen = [State("you are in hall."), State("you are in cellar.")]
    expected = [max(score.total, -30.0) for score in world.inverse_log_prob(states, seen, actions)]
    assert got == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"batch_size": 25}, "batch_size=25 is more than the 24 training transitions"),
        ({"batch_size": 4, "group_size": 2, "accumulation": 9}, "set it to 8 or less"),
    ],
)
def test_a_batch_that_does_not_fit_is_refused(changes, said, tiny_base, transitions, tmp_path) -> None:
    world = load_world_model(tmp_path, str(tiny_base), "cpu")
    with pytest.raises(UsageError, match=said):
        build_grpo_trainer(world, "forward", transitions, Settings().replace({**SMALL, **changes}), tmp_path / "p", 1)
