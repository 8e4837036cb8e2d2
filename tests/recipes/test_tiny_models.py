"""The command that rebuilds the shipped models, run with a few steps per stage."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from swirl.codecs.vq_training import CodecShape, new_codec
from swirl.models import load_world_model
from swirl.recipes import tiny_models

FEW = {
    "unlabelled": 24,
    "pretraining_steps": 2,
    "inverse_rounds": ((16, 2), (24, 2)),
    "layers": 1,
}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "kind"), [("tiny-household", "text"), ("tiny-blocks", "image")])
def test_every_stage_runs_and_the_model_loads(name: str, kind: str, tmp_path: Path, monkeypatch) -> None:
    small = CodecShape(codes=32, channels=16)
    short = {"forward_steps": 2}
    if kind == "image":
        short = {
            "mixed": tiny_models.MixedRounds(steps=2, target_exact_match=1.0, max_rounds=2),
            "random_board_steps": 2,
            "codec": small,
        }
    monkeypatch.setitem(tiny_models.RECIPES, name, replace(tiny_models.RECIPES[name], **FEW, **short))
    monkeypatch.setattr(tiny_models.score_stage, "__defaults__", (4,))
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
    pairs = tiny_models.random_board_pairs(world, 10, seed=0)
    for forward, inverse in zip(pairs[::2], pairs[1::2], strict=True):
        before, after = forward[0][-17:-1], forward[1]
        changed = [code for pair in zip(before, after, strict=True) if pair[0] != pair[1] for code in pair]
        assert len(changed) <= 4
        assert inverse[1] == [*changed, world.layout.end_id]


def test_the_mixed_rounds_end_when_the_target_is_reached(monkeypatch) -> None:
    seeds, scores = [], iter([0.1, 0.44, 0.9])
    monkeypatch.setattr(tiny_models, "train_stage", lambda *_, seed, **__: seeds.append(seed))
    monkeypatch.setattr(tiny_models, "score_stage", lambda *_: {"forward/exact_match": next(scores)})
    blocks = tiny_models.RECIPES["tiny-blocks"]
    tiny_models.train_both(
        None, blocks, tiny_models.MixedRounds(steps=1, target_exact_match=0.43, max_rounds=9), [], seed=5
    )
    assert seeds == [7, 8]
