"""The prior reference π_ref(z | x): its prompts, its KL against a direct computation, and where it holds."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from figures import Figures
from noisy_trainer import BASES, build_noisy_trainer
from small_runs import TWO_STEPS

from swirl.models import load_world_model
from swirl.settings import Settings
from swirl.states import State
from swirl.training.diagnostics import MAX_KL, MAX_KL_STEPS, DivergenceDetector, DivergenceError
from swirl.training.grpo_phase import SharedPromptTrainer
from swirl.training.schedule import PlannedPhase
from swirl.worlds.blocks import Blocks
from swirl.worlds.household import Household

SETTINGS = {**TWO_STEPS, "prior_reference": True}


def build(
    kind: str, direction: str, request: pytest.FixtureRequest, folder: Path, figures: Figures | None = None, **changes
) -> SharedPromptTrainer:
    callbacks = [] if figures is None else [figures]
    return build_noisy_trainer(kind, direction, request, folder, SETTINGS | changes, callbacks)


def direct_kl(trainer: SharedPromptTrainer, indices: list[int], inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    """Mean k3 KL of each rollout, summed over its tokens: plain passes, one row at a time. (B,) and (B,) tokens."""
    world, temperature = trainer.world, trainer.phase_settings.temperature
    support = world.token_support("action")
    sums, counts = [], []
    for number, index in enumerate(indices):
        row = trainer.rollouts.transitions[index]
        ids = inputs["completion_ids"][number][inputs["completion_mask"][number].bool()].tolist()

        def log_probs(adapter: str, prompt: list[int], ids: list[int] = ids) -> torch.Tensor:
            with world.activate_adapter(adapter) as model, torch.no_grad():
                logits = model(input_ids=torch.tensor([prompt + ids])).logits[0, len(prompt) - 1 : -1]
            scores = (logits[:, support.low : support.high] / temperature).log_softmax(-1)
            return scores[torch.arange(len(ids)), torch.tensor(ids) - support.low]

        policy = log_probs("idm", world.layout.inverse_prompt(row.state, row.next_state))
        reference = log_probs("ref", world.layout.prompt_without_next_state(row.state))
        difference = reference - policy
        sums.append((difference.exp() - difference - 1).sum())
        counts.append(len(ids))
    return torch.stack(sums), torch.tensor(counts)


@pytest.mark.parametrize("accumulation", [1, 12])
@pytest.mark.parametrize("kind", BASES)
def test_kl_is_that_of_a_direct_computation(
    kind: str, accumulation: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    trainer = build(kind, "inverse", request, tmp_path, accumulation=accumulation)
    trainer.train()
    indices = [index for index in (0, 3, 5) for _ in range(4)]
    trainer.model.train()
    inputs = trainer._generate_and_score_completions([{"prompt": [index]} for index in indices])
    trainer.statistics.__init__()
    loss = trainer.compute_loss(trainer.model, inputs)
    statistics = trainer.statistics
    sums, tokens = direct_kl(trainer, indices, inputs)
    assert statistics.kl / statistics.tokens == pytest.approx(float(sums.sum() / tokens.sum()), abs=1e-4)
    trainer.phase_settings = trainer.phase_settings.replace({"beta": 0.0})
    without_kl = trainer.compute_loss(trainer.model, inputs)
    assert float((loss - without_kl).detach()) == pytest.approx(0.3 * float((sums / tokens).mean()), abs=1e-4)
    assert float((sums / tokens).mean()) > 0.01


@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_it_holds_from_the_first_step_of_inverse_phases_alone(
    direction: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    runs = {}
    for on in (False, True):
        figures = Figures()
        trainer = build("chat", direction, request, tmp_path / str(on), figures, prior_reference=on)
        trainer.train()
        parameters = trainer.model.named_parameters()
        trained = {name: p.detach().clone() for name, p in parameters if ".fwm." in name or ".idm." in name}
        runs[on] = figures.rows[0]["kl"], trained
    assert runs[False][0] == 0.0
    assert (runs[True][0] > 0.01) == (direction == "inverse")
    equal = all(torch.equal(value, runs[True][1][name]) for name, value in runs[False][1].items())
    assert equal == (direction == "forward")


@pytest.mark.parametrize("kind", BASES)
def test_the_prompt_says_nothing_of_the_next_state(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    world = load_world_model(tmp_path, str(request.getfixturevalue(BASES[kind])), "cpu", "float32")
    x, y = (Blocks() if kind == "pictures" else Household()).episode(5, 4).states[:2]
    prompt = world.layout.prompt_without_next_state(x)
    asked = world.layout.inverse_prompt(x, y)
    if kind == "chat":
        expected = world.layout.inverse_prompt(x, State("(unknown)"))
    else:
        first = asked.index(world.layout.next_id)
        expected = [*asked[: first + 1], world.layout.action_id]
    assert prompt == expected


@pytest.mark.parametrize(("direction", "on", "stops"), [
    ("inverse", True, False), ("inverse", False, True), ("forward", True, True)])  # fmt: skip
def test_distance_from_the_prior_is_no_divergence(direction: str, on: bool, stops: bool) -> None:
    detector = DivergenceDetector(PlannedPhase(2, 1, direction, 9), Settings(prior_reference=on))
    try:
        for step in range(MAX_KL_STEPS):
            detector.check(step, {"kl": MAX_KL + 1})
        stopped = False
    except DivergenceError:
        stopped = True
    assert stopped == stops
