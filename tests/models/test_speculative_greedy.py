"""Greedy decoding with guesses equals one token per pass, whatever the guess, and scores the guess."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest
import torch

from swirl.models import load_world_model
from swirl.models.generation import completion_log_probs, sample_completions
from swirl.models.speculative_greedy import speculative_greedy_decode
from swirl.models.token_interface import FULL_VOCABULARY, TokenSupport
from swirl.models.token_sampling import SamplingConfig
from swirl.models.world_model import WorldModel
from swirl.states import State

HOW = SamplingConfig(20, 0.0)


@pytest.fixture(scope="module", params=["tags", "chat"])
def world(request, tiny_base: Path, tiny_qwen: Path, tmp_path_factory) -> WorldModel:
    home = tmp_path_factory.mktemp("home")
    return load_world_model(home, str(tiny_base if request.param == "tags" else tiny_qwen), "cpu", "float32")


def greedy(world: WorldModel, prompts, support: TokenSupport, ends: set[int]) -> list[list[int]]:
    with world.activate_adapter("fwm") as model:
        return sample_completions(model, prompts, 1, HOW, ends, 0, support=support)


def spoilt(completion: list[int], places: int) -> list[int]:
    """A completion with `places` of its ids replaced."""
    return [12 if i % 3 == 1 and i < 3 * places else token for i, token in enumerate(completion)]


@pytest.mark.parametrize("support", [FULL_VOCABULARY, TokenSupport(10, 40, row=3, row_end=50)], ids=["text", "picture"])
def test_the_answer_is_the_greedy_one_whatever_the_guess(world: WorldModel, support: TokenSupport) -> None:
    prompts = [world.codec.encode(text) for text in ("you are in hall.", "a rather longer prompt", "go")]
    ends = world.end_ids if support == FULL_VOCABULARY else set()
    right = greedy(world, prompts, support, ends)
    passes: list[int] = []
    for places in (0, 1, 2, 6):
        guesses = [spoilt(ids, places) for ids in right]
        if support != FULL_VOCABULARY:
            guesses = [[50 if i % 4 == 3 else token for i, token in enumerate(ids)] for ids in guesses]
        counter = count()
        with world.activate_adapter("fwm") as model:
            found, scores = speculative_greedy_decode(model, prompts, guesses, HOW, ends, 0, support, counter.__next__)
            expected = completion_log_probs(model, prompts, guesses, 0, support)
        assert found == right
        assert all(torch.allclose(ours, theirs, atol=1e-4) for ours, theirs in zip(scores, expected, strict=True))
        passes.append(next(counter))
    assert passes[0] == 1 and passes[1] <= 5 < passes[3] < HOW.max_tokens


def test_states_and_actions_are_those_decoded_greedily(world: WorldModel) -> None:
    states = [State("you are in hall. hall lit."), State("you are in the attic. book in hall, lying.")]
    actions = ["go to the hall", "take the book"]
    plain = world.imagine_batch(states, actions)
    for guesses in (plain, states, states[::-1]):
        assert [state for state, _ in world.imagine_with_guesses(states, actions, guesses)] == plain
    pairs = list(zip(states, states[::-1], strict=True))
    inferred = [found.action for found in world.infer(pairs, alternatives=1)]
    guessed = world.infer_with_guesses(pairs, actions)
    assert [action for action, _ in guessed] == inferred
    scores = world.inverse_log_prob(states, states[::-1], actions)
    assert [score.total for _, score in guessed] == pytest.approx([score.total for score in scores], abs=1e-3)
    assert [score.tokens for _, score in guessed] == [score.tokens for score in scores]
