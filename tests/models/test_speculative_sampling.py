"""Speculative sampling gives the same completions as one token per pass, in fewer passes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from swirl.models import load_world_model, speculative_sampling
from swirl.models.generation import sample_completions
from swirl.models.packed_attention import PACKED_ATTENTION
from swirl.models.speculative_sampling import SpeculativeRow, cut_stragglers
from swirl.models.token_interface import FULL_VOCABULARY, TokenSupport
from swirl.models.token_sampling import SamplingConfig
from swirl.models.world_model import WorldModel
from swirl.states import State

LENGTH = 20


@pytest.fixture(scope="module", params=["tags", "chat"])
def world(request, tiny_base: Path, tiny_qwen: Path, tmp_path_factory) -> WorldModel:
    home = tmp_path_factory.mktemp("home")
    return load_world_model(home, str(tiny_base if request.param == "tags" else tiny_qwen), "cpu", "float32")


class Drawing:
    """Samples completions of two prompts of different lengths and counts the forward passes."""

    def __init__(
        self,
        world: WorldModel,
        temperature: float,
        support: TokenSupport = FULL_VOCABULARY,
        ends: set[int] | None = None,
    ):
        self.world, self.support, self.ends = world, support, world.end_ids if ends is None else ends
        self.prompts = [world.codec.encode(text) for text in ("you are in hall.", "a rather longer prompt")]
        self.how, self.passes = SamplingConfig(LENGTH, temperature), 0

    def draw(self, drafts: Sequence[Sequence[int]] | None, n: int = 3) -> list[list[int]]:
        self.passes = 0
        generator = torch.Generator().manual_seed(5)
        alternatives = None if drafts is None else [[draft] for draft in drafts]
        with self.world.activate_adapter("fwm") as model:
            return sample_completions(
                model, self.prompts, n, self.how, self.ends, 0, generator, self.support, alternatives, self._count
            )

    def _count(self) -> None:
        self.passes += 1


def spoilt(completion: list[int]) -> list[int]:
    """A completion with one id replaced, one removed and one inserted."""
    return [*completion[:3], 7, *completion[4:8], *completion[9:13], 8, *completion[13:]]


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_completions_are_the_same_whatever_the_drafts(world: WorldModel, temperature: float) -> None:
    drawing = Drawing(world, temperature)
    plain = drawing.draw(None)
    slow = drawing.passes
    right = [plain[0], plain[3]]
    for drafts in (right, [spoilt(draft) for draft in right], [[], [1, 2, 3]], right[::-1]):
        assert drawing.draw(drafts) == plain
        assert drawing.passes <= slow
    single = drawing.draw(None, n=1)
    assert drawing.draw(single, n=1) == single
    assert drawing.passes <= 3 < slow


def test_row_ends_of_a_picture_stand_where_they_must(world: WorldModel) -> None:
    drawing = Drawing(world, 1.0, TokenSupport(10, 40, row=3, row_end=50), ends=set())
    plain = drawing.draw(None)
    assert all(len(row) == LENGTH and row[3::4] == [50] * 5 for row in plain)
    assert drawing.draw([plain[0], spoilt(plain[3])]) == plain


def test_a_draft_is_found_again_after_words_came_or_went() -> None:
    row = SpeculativeRow(0, [[1, 2, 3, 4, 5, 6, 7]], is_position_fixed=False)
    assert row.guesses(3) == [1, 2, 3]
    assert row.accept_token(1, {0}, 99) and row.accept_token(2, {0}, 99)
    assert not row.accept_token(9, {0}, 99) and row.guesses(2) == [4, 5]  # 3 became 9
    assert not row.accept_token(5, {0}, 99)  # 4 was skipped
    assert not row.accept_token(6, {0}, 99) and row.guesses(2) == [7]
    picture = SpeculativeRow(0, [[1, 1, 2, 1, 1, 3]], is_position_fixed=True)
    assert (
        picture.accept_token(1, set(), 6)
        and not picture.accept_token(2, set(), 6)
        and picture.guesses(9) == [2, 1, 1, 3]
    )
    assert not picture.accept_token(0, {0}, 6) and picture.done and picture.guesses(9) == []


def test_a_row_goes_on_in_whichever_draft_fits() -> None:
    row = SpeculativeRow(0, [[1, 2, 3, 4], [9, 2, 8, 7, 6]], is_position_fixed=False)
    assert row.accept_token(1, {0}, 99) and row.accept_token(2, {0}, 99)
    assert not row.accept_token(8, {0}, 99)
    assert row.guesses(9) == [7, 6]


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_models_without_packed_attention_draw_the_same(world: WorldModel, temperature: float) -> None:
    drawing = Drawing(world, temperature)
    plain = drawing.draw(None)
    config = world.model.get_base_model().config
    assert config._attn_implementation == PACKED_ATTENTION
    config._attn_implementation = "sdpa"
    try:
        assert drawing.draw([[1, 2, 3], [4]]) == plain
    finally:
        config._attn_implementation = PACKED_ATTENTION


def test_sampling_ends_when_the_interrupt_check_raises(world: WorldModel) -> None:
    def enough() -> None:
        raise TimeoutError

    world.check_interrupt, before = enough, world.check_interrupt
    try:
        with pytest.raises(TimeoutError):
            world.imagine(State("you are in hall."), "go", n=2)
    finally:
        world.check_interrupt = before
    assert not world.model.training
    first, second = (world.imagine(State("you are in hall."), "go", n=2, seed=1) for _ in range(2))
    assert first == second


def test_stragglers_are_cut_once_most_have_ended() -> None:
    def row(tokens: int, done: bool) -> SpeculativeRow:
        return SpeculativeRow(0, [], False, tokens=[1] * tokens, done=done)

    rows = [row(40, True), row(60, True), row(105, False), row(20, True)]
    cut_stragglers(rows)
    assert not rows[2].done  # 105 tokens are below 1.5 x 60 + 16
    rows[2].tokens.append(1)
    cut_stragglers(rows)
    assert rows[2].done
    half = [row(10, True), row(500, False)]
    cut_stragglers(half)
    assert not half[1].done


def test_cut_completions_begin_like_the_whole_ones(world: WorldModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speculative_sampling, "STRAGGLER_FACTOR", 1.0)
    monkeypatch.setattr(speculative_sampling, "STRAGGLER_MARGIN", 2)
    drawing = Drawing(world, 1.0, ends=set(range(0, len(world.tokenizer), 20)))
    drawing.how = SamplingConfig(400, 1.0)
    whole, passes = drawing.draw(None, n=8), drawing.passes
    drawing.how = replace(drawing.how, cuts_stragglers=True)
    cut = drawing.draw(None, n=8)
    assert drawing.passes < passes and cut != whole
    assert all(one == other[: len(one)] for one, other in zip(cut, whole, strict=True))
    assert sum(one == other for one, other in zip(cut, whole, strict=True)) >= 0.75 * len(whole)
