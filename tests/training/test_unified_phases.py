"""One GRPO step of each phase, and the warm-up, of tiny Liquid, Janus and Emu3 models with the real trainers."""

from __future__ import annotations

import json
import sys
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from figures import Figures
from transformers import PrinterCallback

from swirl.models import load_world_model
from swirl.models.world_model import WorldModel
from swirl.settings import Settings
from swirl.states import LabelledTransition, Transition
from swirl.training.grpo_phase import build_grpo_trainer
from swirl.training.supervised import negative_log_likelihood
from swirl.training.warm_up import build_warm_up_trainer
from swirl.worlds.blocks import Blocks

sys.path.insert(0, str(Path(__file__).parent.parent / "models"))
import unified

BUILDERS = {"liquid": unified.build_liquid, "janus": unified.build_janus, "emu3": unified.build_emu3}
SMALL = {
    "steps_per_phase": 1,
    "batch_size": 2,
    "group_size": 2,
    "learning_rate": 0.01,
    "max_action_tokens": 5,
    "max_state_tokens": 20,
    "reward_clamp": None,
    "temperature": 0.7,
}
ROLES = {"forward": ("fwm", "idm"), "inverse": ("idm", "fwm")}


@pytest.fixture(scope="module", params=sorted(BUILDERS))
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = BUILDERS[request.param](tmp_path_factory.mktemp("unified") / request.param)
    if request.param == "emu3":
        # As in the original. In train mode it would make the trainer's probabilities differ from the sampler's.
        config = json.loads((built / "config.json").read_text())
        config["text_config"]["attention_dropout"] = 0.1
        (built / "config.json").write_text(json.dumps(config))
    return built


@pytest.fixture
def world(folder: Path, tmp_path: Path) -> WorldModel:
    torch.manual_seed(0)
    loaded = load_world_model(tmp_path, str(folder), "cpu", lora_rank=4)
    loaded.max_action_tokens = 5
    return loaded


@pytest.fixture(scope="module")
def frames() -> list[Transition]:
    return [Transition("five", i, x, y) for i, (x, y) in enumerate(pairwise(Blocks().episode(5, 4).states))]


def weights(world: WorldModel, part: str) -> dict[str, torch.Tensor]:
    """The weights of an adapter, or for "base" all others, including buffers (means of batch norms)."""
    state = world.model.state_dict()
    chosen = [name for name in state if (f".{part}." in name if part != "base" else "lora_" not in name)]
    assert chosen
    return {name: state[name].detach().clone() for name in chosen}


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(value, b[name]) for name, value in a.items())


@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_one_step_teaches_the_trainee_alone(direction, world, frames, tmp_path) -> None:
    trainee, partner = ROLES[direction]
    start, critic, base = weights(world, trainee), weights(world, partner), weights(world, "base")
    figures = Figures()
    settings = Settings().replace(SMALL)
    trainer = build_grpo_trainer(world, direction, frames, settings, tmp_path / "phase", 1, [figures])
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    now = weights(world, trainee)
    learnt = {name for name, value in start.items() if "lora_B" in name and not torch.equal(value, now[name])}
    assert len(learnt) == 2 * 7  # every adapted matrix of the language model
    assert same(critic, weights(world, partner))
    assert same(base, weights(world, "base"))
    assert figures.rows[0]["kl"] == pytest.approx(0.0, abs=1e-6)
    # Advantages sum to 0, except for rounding errors of rewards that differ only slightly.
    assert figures.rows[0]["loss"] == pytest.approx(0.0, abs=5e-3)
    assert figures.rows[0]["grad_norm"] > 0


@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_the_sampler_and_the_trainer_agree_on_every_probability(direction, world, frames, tmp_path) -> None:
    settings = Settings().replace({**SMALL, "temperature": 1.0})
    trainer = build_grpo_trainer(world, direction, frames, settings, tmp_path / "phase", 1)
    torch.manual_seed(2)
    for name, parameter in world.model.named_parameters():
        if "lora_B" in name:
            parameter.data.normal_(std=0.1)
    output = trainer.rollouts([[i] for i in range(2) for _ in range(2)], trainer)
    role = ROLES[direction][0]
    answer = "state" if direction == "forward" else "action"
    scores = world.log_prob(role, output["prompt_ids"], output["completion_ids"], answer=answer)
    for prompt, ids, score in zip(output["prompt_ids"], output["completion_ids"], scores, strict=True):
        row = torch.tensor([prompt + ids])
        labels = row.clone()
        labels[:, : len(prompt)] = -100
        world.model.train()  # as the trainer does
        world.model.set_adapter(role)
        with torch.no_grad():
            found = world.model(input_ids=row, attention_mask=torch.ones_like(row), labels=labels, fused_lm_head=True)
        world.model.eval()
        seen = found.log_probs[0, -len(ids) :]
        assert found.tokens == score.tokens == sum(token != world.codec.row_end for token in ids)
        assert seen.sum().item() == pytest.approx(score.total, abs=1e-3)
        ends = [value for value, token in zip(seen.tolist(), ids, strict=True) if token == world.codec.row_end]
        assert ends == [0.0] * len(ends)


def test_a_predicted_frame_is_rewarded_by_what_is_read_from_it(world, frames, tmp_path) -> None:
    trainer = build_grpo_trainer(world, "forward", frames, Settings().replace(SMALL), tmp_path / "phase", 1)
    drawn = [world.state_completion(frames[0].next_state), world.state_completion(frames[1].next_state)]
    assert drawn[0] != drawn[1]
    got = trainer.reward_funcs[0]([[0], [0]], drawn, lambda name, value: None, ["go up", "go up"])
    states = [world.codec.decode_state(ids) for ids in drawn]
    expected = world.inverse_log_prob([frames[0].state] * 2, states, ["go up"] * 2)
    assert got == pytest.approx([score.mean for score in expected], abs=1e-4)
    assert got[0] != got[1]
    assert trainer.reward_funcs[0].shown_groups[0]["samples"][0].startswith("data:image/")


@pytest.mark.parametrize("shared", [False, True])
def test_the_warm_up_imitates_labels(shared, folder, frames, tmp_path) -> None:
    world = load_world_model(tmp_path, str(folder), "cpu", lora_rank=4, share_weights=shared)
    labels = [LabelledTransition(t.state, "move it up", t.next_state) for t in frames[:2]]
    settings = Settings().replace(
        {"warm_up_epochs": 30, "warm_up_batch_size": 4, "warm_up_learning_rate": 0.01, "save_every": 1000}
    )

    def missing() -> float:
        asked = [t.state for t in labels], [t.action for t in labels], [t.next_state for t in labels]
        forward = world.forward_log_prob(*asked)
        assert {score.tokens for score in forward} == {16}
        return -sum(score.total for score in forward) / 32

    before = missing()
    trainer = build_warm_up_trainer(world, "forward", labels, settings, tmp_path / "warm", [])
    trainer.remove_callback(PrinterCallback)
    if not shared:
        pairs = list(trainer.train_dataset)
        loss = negative_log_likelihood(world.model.eval(), pairs)
        assert loss.item() == pytest.approx(before, abs=1e-3)  # nats per chosen token
    trainer.train()
    losses = [row["loss"] for row in trainer.state.log_history if "loss" in row]
    assert losses[-1] < losses[0] - 0.005
    # With shared weights both tasks are learnt together, over the ids of both words and codes.
    assert shared or missing() < before - 0.005


@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_half_precision_and_checkpointing_as_on_a_gpu(direction, folder, frames, tmp_path) -> None:
    world = load_world_model(tmp_path, str(folder), "cpu", "bfloat16", lora_rank=4)
    world.max_action_tokens = 5
    assert next(iter(world.codec.image_tokenizer.vq.parameters())).dtype == torch.float32
    prediction = world.imagine(frames[0].state, "go up", n=1)[0]
    assert prediction.score < 0 and prediction.log_prob < 0
    trainee = ROLES[direction][0]
    start = weights(world, trainee)
    trainer = build_grpo_trainer(world, direction, frames, Settings().replace(SMALL), tmp_path / "phase", 1)
    trainer.remove_callback(PrinterCallback)
    world.model.gradient_checkpointing_enable({"use_reentrant": False})
    trainer.train()
    now = weights(world, trainee)
    assert sum("lora_B" in name and not torch.equal(value, now[name]) for name, value in start.items()) == 2 * 7
