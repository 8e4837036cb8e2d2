"""The command that rebuilds the shipped models, run with a few steps per stage."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from swirl.codecs.vq_training import CodecShape, new_codec
from swirl.errors import SwirlError, UsageError
from swirl.models import load_world_model
from swirl.recipes import tiny_models, tiny_pretraining, tiny_recipes, tiny_stages
from swirl.worlds.household import Household

FEW = {
    "unlabelled": 24,
    "pretraining_steps": 2,
    "inverse_rounds": ((16, 2), (24, 2)),
    "forward_labels": 24,
    "layers": 1,
    "extra_pretraining_steps": 2,
    "max_extra_rounds": 1,
}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "kind"), [("tiny-household", "text"), ("tiny-blocks", "image")])
def test_every_stage_runs_and_the_model_loads(name: str, kind: str, tmp_path: Path, monkeypatch) -> None:
    small = CodecShape(codes=32, channels=16)
    short = {"forward_steps": 2}
    if kind == "image":
        short = {
            "mixed": tiny_recipes.TargetRounds(steps=2, target_exact_match=1.0, max_rounds=2),
            "random_board_steps": 2,
            "codec": small,
        }
    monkeypatch.setitem(tiny_recipes.RECIPES, name, replace(tiny_recipes.RECIPES[name], **FEW, **short))
    monkeypatch.setattr(tiny_stages.score_stage, "__defaults__", (4,))
    monkeypatch.setattr(tiny_pretraining, "COPIED_TRANSITIONS", 8)
    new_codec(small).save(tmp_path / "codec")
    out = tmp_path / "model"
    assert tiny_models.main([name, "--out", str(out), "--codec", str(tmp_path / "codec")]) == 0
    world = load_world_model(tmp_path, str(out), "cpu")
    assert world.kind == kind
    pretrained = tmp_path / "pretrained"
    more = ["--keep-pretrained", str(pretrained), "--codec", str(tmp_path / "codec")]
    assert tiny_models.main([name, "--out", str(tmp_path / "second"), *more]) == 0
    assert tiny_models.main([name, "--out", str(tmp_path / "third"), "--base", str(pretrained / "base")]) == 0
    weights = [(tmp_path / run / "base" / "model.safetensors").read_bytes() for run in ("second", "third")]
    assert weights[0] == weights[1]


def test_random_boards_change_one_or_two_codes(tiny_pictures: Path, tmp_path: Path) -> None:
    world = load_world_model(tmp_path, str(tiny_pictures), "cpu")
    pairs = tiny_pretraining.random_board_pairs(world, 10, seed=0)
    for forward, inverse in zip(pairs[::2], pairs[1::2], strict=True):
        before, after = forward[0][-17:-1], forward[1]
        changed = [code for pair in zip(before, after, strict=True) if pair[0] != pair[1] for code in pair]
        assert len(changed) <= 4
        assert inverse[1] == [*changed, world.layout.end_id]


def test_the_mixed_rounds_end_when_the_target_is_reached(monkeypatch) -> None:
    seeds, scores = [], iter([0.1, 0.44, 0.9])
    stages = tiny_stages.Stages(total_steps=9)
    monkeypatch.setattr(stages, "train", lambda *_, seed, **__: seeds.append(seed))
    monkeypatch.setattr(stages, "score", lambda *_: {"forward/exact_match": next(scores)})
    blocks = tiny_recipes.RECIPES["tiny-blocks"]
    mixed = tiny_recipes.TargetRounds(steps=1, target_exact_match=0.43, max_rounds=9)
    tiny_models.train_to_target(None, blocks, mixed, [], "mixed", stages, learning_rate=1e-3, seed=5)
    assert seeds == [7, 8]


def test_a_weak_critic_sees_a_quarter_of_the_labels_and_the_forward_model_all() -> None:
    shipped = tiny_recipes.RECIPES["tiny-household"]
    weak = tiny_recipes.regime_recipe("tiny-household", "weak-critic")
    assert [labels for labels, _ in weak.inverse_rounds] == [750, 750, 2000]
    assert [steps for _, steps in weak.inverse_rounds] == [steps for _, steps in shipped.inverse_rounds]
    assert weak.forward_labels == shipped.forward_labels == shipped.inverse_rounds[-1][0]
    assert weak.world().regime == "clean"
    assert tiny_recipes.regime_recipe("tiny-blocks", "noisy").world().regime == "noisy"
    for model, regime in (("tiny-copier", "noisy"), ("tiny-blocks", "clean")):
        with pytest.raises(UsageError, match="ambiguous, noisy, weak-critic"):
            tiny_recipes.regime_recipe(model, regime)


def test_the_oracle_knows_the_rules_but_not_the_noise() -> None:
    for regime, low, high in (("clean", 1.0, 1.0), ("ambiguous", 1.0, 1.0), ("noisy", 0.45, 0.65)):
        world = Household(regime)
        rows = tiny_recipes.record_episodes(world, tiny_recipes.HELD_OUT_SEED, 240)
        assert low <= tiny_stages.oracle_exact_match(world, rows) <= high


@pytest.fixture
def quick(monkeypatch) -> None:
    """A recipe of a few steps, in every regime."""
    short = replace(tiny_recipes.RECIPES["tiny-household"], **FEW, forward_steps=2)
    monkeypatch.setitem(tiny_recipes.RECIPES, "tiny-household", short)
    monkeypatch.setattr(tiny_recipes, "REGIME_CHANGES", {})
    monkeypatch.setattr(tiny_pretraining, "OTHER_TEXT_COLLECTIONS", ())
    monkeypatch.setattr(tiny_stages.score_stage, "__defaults__", (4,))
    monkeypatch.setattr(tiny_pretraining, "COPIED_TRANSITIONS", 8)


def test_starts_share_a_pretrained_base_and_say_how_they_were_made(quick, tmp_path: Path) -> None:
    pretrained, seen = tmp_path / "pretrained", []
    made = {"pretrained": pretrained, "progress": lambda share, text: seen.append((share, text))}
    start = tiny_models.build_start("tiny-household", "ambiguous", tmp_path / "one", **made)
    assert json.loads((tmp_path / "one" / tiny_models.START_FILE).read_text()) == start
    assert (start["model"], start["regime"], start["seed"]) == ("tiny-household", "ambiguous", 0)
    assert list(start["scores"]) == ["after inverse round 1", "after inverse round 2", "after the forward warm-up"]
    assert start["scores"]["after the forward warm-up"]["oracle/exact_match"] == 1.0
    assert seen[0] == (1 / 8, "pretraining, step 1 of 2") and seen[-1] == (1.0, "forward, step 2 of 2")
    world = load_world_model(tmp_path, str(tmp_path / "one"), "cpu")
    for words in ("grab", "laid down", "light"):
        assert world.completion(words)
    assert len(world.completion("pick up the coin")) == len(["pick", "up", "the", "coin"]) + 1

    before = (pretrained / "base" / "model.safetensors").read_bytes()
    again = tiny_models.build_start("tiny-household", "ambiguous", tmp_path / "two", pretrained=pretrained)
    assert again == start and (pretrained / "base" / "model.safetensors").read_bytes() == before
    weights = [(tmp_path / run / "fwm" / "adapter_model.safetensors").read_bytes() for run in ("one", "two")]
    assert weights[0] == weights[1]
    with pytest.raises(SwirlError, match="not empty"):
        tiny_models.build_start("tiny-household", "noisy", tmp_path / "two", pretrained=pretrained)


def test_a_start_that_is_stopped_leaves_only_the_pretrained_base(quick, tmp_path: Path) -> None:
    def stop(_: float, stage: str) -> None:
        if stage.startswith("inverse round 2"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tiny_models.build_start(
            "tiny-household", "noisy", tmp_path / "start", pretrained=tmp_path / "kept", progress=stop
        )
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_the_command_builds_a_start(quick, tmp_path: Path, capsys) -> None:
    asked = ["tiny-household", "--regime", "weak-critic", "--out", str(tmp_path / "start")]
    kept = ["--keep-pretrained", str(tmp_path / "kept")]
    assert tiny_models.main([*asked, *kept, "--seed", "3"]) == 0
    start = json.loads((tmp_path / "start" / tiny_models.START_FILE).read_text())
    assert (start["regime"], start["seed"]) == ("weak-critic", 3)
    for wrong, words in ((asked, "not empty"), ([*asked, "--base", str(tmp_path / "none")], "does not exist")):
        with pytest.raises(SystemExit) as failed:
            tiny_models.main(wrong)
        assert failed.value.code == 2 and words in capsys.readouterr().err
