"""Checkpoints on disk, the answers of a world model, and the messages if something is missing."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from swirl.errors import SwirlError, UsageError
from swirl.models import load_world_model, resolve_checkpoint
from swirl.models.results import LogProb
from swirl.models.world_model import WorldModel
from swirl.states import State

HALL, KITCHEN = State("you are in hall."), State("you are in kitchen.")


def small(world: WorldModel) -> WorldModel:
    world.max_action_tokens, world.max_state_tokens = 5, 12
    return world


@pytest.fixture
def world(tiny_base: Path, tmp_path: Path) -> WorldModel:
    return small(load_world_model(tmp_path, str(tiny_base), "cpu"))


def scramble(world: WorldModel) -> None:
    torch.manual_seed(1)
    for name, parameter in world.model.named_parameters():
        if "lora_B" in name:
            parameter.data.normal_(std=0.2)


def test_a_saved_checkpoint_answers_the_same(world: WorldModel, tmp_path: Path) -> None:
    scramble(world)
    world.save(tmp_path / "one")
    again = small(load_world_model(tmp_path, str(tmp_path / "one"), "cpu"))
    assert again.forward_log_prob([HALL], ["go"], [KITCHEN]) == world.forward_log_prob([HALL], ["go"], [KITCHEN])
    assert again.inverse_log_prob([HALL], [KITCHEN], ["go"]) == world.inverse_log_prob([HALL], [KITCHEN], ["go"])
    assert sorted(p.name for p in (tmp_path / "one").rglob("*") if p.is_file()) == [
        *["adapter_config.json", "adapter_config.json"],
        *["adapter_model.safetensors", "adapter_model.safetensors"],
        "swirl.json",
    ]


def test_a_checkpoint_gives_answers_as_long_as_those_of_its_training(world: WorldModel, tmp_path: Path) -> None:
    usual = 64, 1024
    world.max_action_tokens, world.max_state_tokens = 128, 16
    world.save(tmp_path / "long")
    again = load_world_model(tmp_path, str(tmp_path / "long"), "cpu", "float32")
    assert (again.max_action_tokens, again.max_state_tokens) == (128, usual[1])
    file = tmp_path / "long" / "swirl.json"
    manifest = json.loads(file.read_text())
    earlier = {name: value for name, value in manifest.items() if not name.startswith("max_")}
    file.write_text(json.dumps(earlier))
    again = load_world_model(tmp_path, str(tmp_path / "long"), "cpu", "float32")
    assert (again.max_action_tokens, again.max_state_tokens) == usual


def test_a_checkpoint_with_its_base_can_be_moved(world: WorldModel, tmp_path: Path) -> None:
    scramble(world)
    world.save(tmp_path / "one", with_base=True)
    shutil.move(tmp_path / "one", tmp_path / "two")
    again = small(load_world_model(tmp_path, str(tmp_path / "two"), "cpu"))
    assert again.forward_log_prob([HALL], ["go"], [KITCHEN]) == world.forward_log_prob([HALL], ["go"], [KITCHEN])


def test_shared_weights_are_one_adapter(tiny_base: Path, tmp_path: Path) -> None:
    world = load_world_model(tmp_path, str(tiny_base), "cpu", share_weights=True)
    assert world.adapter("idm") == world.adapter("fwm") == "fwm"
    world.save(tmp_path / "shared")
    again = load_world_model(tmp_path, str(tmp_path / "shared"), "cpu", share_weights=True)
    assert again.shared
    apart = load_world_model(tmp_path, str(tmp_path / "shared"), "cpu")
    assert not apart.shared
    assert apart.describe()["adapters"] == ["fwm", "idm"]


def test_both_models_rank_the_actions_together(world: WorldModel, monkeypatch: pytest.MonkeyPatch) -> None:
    scramble(world)
    forward_log_prob = world.forward_log_prob

    def sharper(*rows: list) -> list[LogProb]:
        """What an untrained model says of actions hardly differs."""
        return [replace(score, total=1000 * score.total) for score in forward_log_prob(*rows)]

    monkeypatch.setattr(world, "forward_log_prob", sharper)
    pairs = [(HALL, KITCHEN), (KITCHEN, HALL), (HALL, HALL)]
    alone = world.infer(pairs, alternatives=4, seed=0)
    together = world.infer(pairs, alternatives=4, seed=0, by_both_models=True)
    for (x, y), before, after in zip(pairs, alone, together, strict=True):
        assert set(after.alternatives) == set(before.alternatives)
        explained = world.forward_log_prob([x] * 4, [a.action for a in after.alternatives], [y] * 4)
        sums = [a.log_prob + score.total for a, score in zip(after.alternatives, explained, strict=True)]
        assert sums == sorted(sums, reverse=True)
        assert (after.action, after.log_prob) == (after.alternatives[0].action, after.alternatives[0].log_prob)
    assert [found.alternatives for found in alone] != [found.alternatives for found in together]


def test_inference_and_imagination(world: WorldModel) -> None:
    scramble(world)
    pairs = [(HALL, KITCHEN), (KITCHEN, HALL)]
    found = world.infer(pairs, alternatives=3, seed=0)
    assert found == world.infer(pairs, alternatives=3, seed=0)
    for pair, inference in zip(pairs, found, strict=True):
        assert inference.alternatives[0].action == inference.action
        scores = [a.log_prob for a in inference.alternatives]
        assert scores == sorted(scores, reverse=True)
        assert len({a.action for a in inference.alternatives}) == len(inference.alternatives) <= 3
        total = world.inverse_log_prob([pair[0]], [pair[1]], [inference.action])[0].total
        assert inference.log_prob == pytest.approx(total, abs=1e-3)
    predictions = world.imagine(HALL, "go to the kitchen", n=4, seed=3)
    assert [p.score for p in predictions] == sorted((p.score for p in predictions), reverse=True)
    assert predictions == world.imagine(HALL, "go to the kitchen", n=4, seed=3)
    assert all(prediction.log_prob is not None for prediction in predictions)
    quick = world.imagine(HALL, "go to the kitchen", n=4, seed=3, with_log_probs=False)
    assert quick == [replace(prediction, log_prob=None) for prediction in predictions]


def test_a_chat_model_from_disk_plays_both_parts(tiny_qwen: Path, tmp_path: Path) -> None:
    world = small(load_world_model(tmp_path, str(tiny_qwen), "cpu"))
    prompt = world.tokenizer.decode(world.layout.inverse_prompt(HALL, KITCHEN))
    assert prompt.startswith("<|im_start|>system")
    assert prompt.endswith("<|im_start|>assistant\n")
    assert HALL.text in prompt and KITCHEN.text in prompt
    assert world.infer([(HALL, KITCHEN)], alternatives=2)[0].alternatives
    assert len(world.imagine(HALL, "wait", n=2)) == 2
    world.save(tmp_path / "checkpoint")
    assert json.loads((tmp_path / "checkpoint" / "swirl.json").read_text())["base"] == str(tiny_qwen.resolve())
    assert load_world_model(tmp_path, str(tmp_path / "checkpoint"), "cpu").describe()["adapters"] == ["fwm", "idm"]


def test_any_text_survives_the_tiny_tokenizer(world: WorldModel) -> None:
    for text in ("you are in hall.", "Ünïcödé 🙂 12 <b>\n\n  two\tparts", '{"a": [1, 2.5]}'):
        assert world.codec.decode(world.codec.encode(text)) == text


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda f: shutil.rmtree(f / "idm"), "no adapter 'idm'"),
        (lambda f: (f / "swirl.json").write_text("{"), "cannot be read as JSON"),
        (lambda f: (f / "swirl.json").write_text('{"format": 9}'), "not a checkpoint of this version"),
        (
            lambda f: (f / "swirl.json").write_text('{"format": 1, "base": "base", "max_action_tokens": 0}'),
            "max_action_tokens=0, which must be a whole number from 1 to 65536",
        ),
        (lambda f: (f / "fwm" / "adapter_config.json").write_text("{}"), "do not fit"),
        (lambda f: (f / "fwm" / "adapter_model.safetensors").write_bytes(b"junk"), "do not fit"),
    ],
)
def test_a_spoilt_checkpoint_is_named(world: WorldModel, tmp_path: Path, spoil, said: str) -> None:
    world.save(tmp_path / "spoilt")
    spoil(tmp_path / "spoilt")
    with pytest.raises(SwirlError, match="spoilt") as caught:
        load_world_model(tmp_path, str(tmp_path / "spoilt"), "cpu")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_model_without_weights_is_named(tiny_base: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_base, tmp_path / "half")
    (tmp_path / "half" / "model.safetensors").unlink()
    with pytest.raises(SwirlError, match="half cannot be loaded"):
        load_world_model(tmp_path, str(tmp_path / "half"), "cpu")


def test_unknown_names_and_devices(tiny_base: Path, tmp_path: Path) -> None:
    with pytest.raises(SwirlError, match="There is no checkpoint 'nothing'"):
        resolve_checkpoint(tmp_path, "nothing")
    with pytest.raises(SwirlError, match="neither a checkpoint"):
        resolve_checkpoint(tmp_path, str(tmp_path))
    if not torch.cuda.is_available():
        with pytest.raises(UsageError, match="device=cuda"):
            load_world_model(tmp_path, str(tiny_base), "cuda")


def test_pickled_weights_are_refused(tiny_base: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pickled"
    shutil.copytree(tiny_base, folder)
    (folder / "model.safetensors").unlink()
    torch.save({"x": torch.zeros(1)}, folder / "pytorch_model.bin")
    with pytest.raises(SwirlError, match="pickled"):
        load_world_model(tmp_path, str(folder), "cpu")
