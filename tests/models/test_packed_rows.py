"""Packed rows: what is shared is computed once, and scores are those of one pass per row."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from swirl.models import load_world_model
from swirl.models.packed_attention import PACKED_ATTENTION
from swirl.models.packed_rows import Row, RowGroup, enable_packing, group_rows, is_packing_enabled, split_into_parts
from swirl.models.scoring import ScoredRows, row_log_probs, score_rows
from swirl.models.token_interface import FULL_VOCABULARY, TokenSupport
from swirl.models.world_model import WorldModel

PROMPT = list(range(20, 50))


@pytest.fixture(scope="module", params=["tags", "chat"])
def world(request, tiny_base: Path, tiny_qwen: Path, tmp_path_factory) -> WorldModel:
    home = tmp_path_factory.mktemp("home")
    return load_world_model(home, str(tiny_base if request.param == "tags" else tiny_qwen), "cpu", "float32")


def rows() -> list[Row]:
    """Three rollouts of one prompt, one of them twice, and two rows of their own."""
    return [
        Row([*PROMPT, 1, 2, 3], 3),
        Row([*PROMPT, 4], 1),
        Row([*PROMPT, 1, 2, 3], 3),
        Row([*PROMPT, 5, 6, 7, 8, 9], 5),
        Row([7, 8, 9, 10], 2),
        Row([3, 4], 1),
    ]


def one_by_one(world: WorldModel, row: Row) -> torch.Tensor:
    """log P of the scored tokens from an ordinary pass."""
    base = world.model.get_base_model()
    with torch.no_grad():
        scores = base(torch.tensor([row.ids])).logits[0].float().log_softmax(-1)
    targets = torch.tensor(row.ids[row.prompt_length :])
    return scores[row.prompt_length - 1 : -1].gather(-1, targets.unsqueeze(-1)).squeeze(-1)


def test_rows_with_one_prompt_form_a_group() -> None:
    groups = group_rows(rows())
    assert groups == [RowGroup([0, 1, 2, 3], 30), RowGroup([4], 2), RowGroup([5], 1)]
    assert groups[0].tokens(rows()) == 30 + 2 + 0 + 2 + 4
    # Two inverse prompts that share the state but not the predicted next state.
    partner = [Row([*PROMPT, 60, 61, 9], 1), Row([*PROMPT, 62, 9], 1)]
    assert group_rows(partner) == [RowGroup([0, 1], 30)]
    assert group_rows(partner, whole_prompts=True) == [RowGroup([0], 32), RowGroup([1], 31)]


@pytest.mark.parametrize("limit", [5, 40, 1000])
def test_scores_are_those_of_one_pass_per_row(world: WorldModel, limit: int) -> None:
    assert is_packing_enabled(world.model)
    found = row_log_probs(world.model, rows(), 0, token_limit=limit)
    for row, scores in zip(rows(), found, strict=True):
        assert torch.allclose(scores, one_by_one(world, row), atol=1e-4)


def test_models_that_cannot_pack_score_the_same(world: WorldModel) -> None:
    packed = row_log_probs(world.model, rows(), 0)
    config = world.model.get_base_model().config
    config._attn_implementation = "sdpa"
    try:
        assert not is_packing_enabled(world.model)
        padded = row_log_probs(world.model, rows(), 0)
    finally:
        config._attn_implementation = PACKED_ATTENTION
    assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(packed, padded, strict=True))


def test_gradients_do_not_depend_on_the_passes(world: WorldModel) -> None:
    world.model.set_adapter("fwm")
    weights = [p for p in world.model.parameters() if p.requires_grad]
    with torch.no_grad():
        for weight in weights:
            weight.add_(0.01)
    found = []
    for limit, most in ((1000, None), (36, 1)):
        groups = group_rows(rows())
        world.model.zero_grad()
        for part in split_into_parts(rows(), groups, limit, most):
            scores, _, _ = score_rows(world.model, ScoredRows(rows(), part, [0.7] * 6), 0, FULL_VOCABULARY)
            scores.sum().backward()
        found.append([weight.grad.clone() for weight in weights])
    assert any(gradient.abs().max() > 1e-3 for gradient in found[0])
    assert all(torch.allclose(a, b, atol=1e-3, rtol=1e-3) for a, b in zip(*found, strict=True))


def test_passes_stay_within_their_limits() -> None:
    groups = group_rows(rows())
    parts = list(split_into_parts(rows(), groups, 36, None))
    assert sorted(m for part in parts for group in part for m in group.members) == list(range(6))
    assert all(sum(group.tokens(rows()) for group in part) <= 36 or len(part) == 1 for part in parts)
    singles = list(split_into_parts(rows(), groups, 1000, 1))
    assert [[group.members for group in part] for part in singles] == [[[i]] for i in range(6)]


def test_temperature_applies_row_by_row(world: WorldModel) -> None:
    batch = ScoredRows(rows(), group_rows(rows()), [1.0, 0.5, 1.0, 1.0, 0.5, 1.0])
    with torch.no_grad():
        found, entropy, tokens = score_rows(world.model, batch, 0, FULL_VOCABULARY)
        cold, _, _ = score_rows(world.model, ScoredRows(rows(), batch.groups, [0.5] * 6), 0, FULL_VOCABULARY)
        warm, _, _ = score_rows(world.model, ScoredRows(rows(), batch.groups, [1.0] * 6), 0, FULL_VOCABULARY)
    is_cold = torch.tensor([m in (1, 4) for m in batch.members]).repeat_interleave(
        torch.tensor([rows()[m].scored for m in batch.members])
    )
    assert torch.allclose(found, torch.where(is_cold, cold, warm), atol=1e-5)
    assert bool((entropy >= 0).all()) and int(tokens) == len(found)


def test_an_id_outside_of_the_support_is_refused(world: WorldModel) -> None:
    with pytest.raises(ValueError, match="outside"):
        row_log_probs(world.model, [Row([5, 6, 7], 1)], 0, TokenSupport(10, 20))


def test_models_with_windows_are_not_switched(tiny_qwen: Path, tmp_path: Path) -> None:
    model = load_world_model(tmp_path, str(tiny_qwen), "cpu").model.get_base_model()
    model.config._attn_implementation = "sdpa"
    model.config.sliding_window, model.config.use_sliding_window = 4, True
    assert not enable_packing(model)
    model.config.sliding_window = None
    assert enable_packing(model)
