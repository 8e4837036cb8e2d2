"""An image model: one vocabulary of words and image codes, each answer restricted to its own part."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from swirl import pictures
from swirl.errors import SwirlError
from swirl.models import load_world_model
from swirl.models.generation import SamplingConfig
from swirl.models.world_model import WorldModel
from swirl.states import State
from swirl.worlds.blocks import Blocks


@pytest.fixture(scope="module")
def world(tiny_pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> WorldModel:
    return load_world_model(tmp_path_factory.mktemp("home"), str(tiny_pictures), "cpu")


@pytest.fixture(scope="module")
def states() -> list[State]:
    return Blocks().episode(3, 8).states


def test_what_is_saved_is_loaded(world: WorldModel, states: list[State], tmp_path: Path) -> None:
    world.save(tmp_path / "again", with_base=True)
    again = load_world_model(tmp_path, str(tmp_path / "again"), "cpu")
    assert (again.kind, again.codec.size, again.codec.grid) == ("image", (64, 64), (4, 4))
    assert [again.codec.encode_state(state) for state in states] == [world.codec.encode_state(s) for s in states]
    assert again.codec.reconstruct(states[0]) == world.codec.reconstruct(states[0])
    assert not list((tmp_path / "again").rglob("*.bin"))


def test_a_predicted_state_is_codes_alone_and_as_many_as_a_frame_has(world: WorldModel, states: list[State]) -> None:
    prompts = [world.layout.forward_prompt(state, "paint the red circle blue") for state in states[:3]]
    drawn = world.sample("fwm", prompts, 5, SamplingConfig(99, temperature=5.0), answer="state")
    first = world.codec.offset
    assert {len(row) for row in drawn} == {16}
    assert all(first <= token < first + 32 for row in drawn for token in row)
    assert len({tuple(row) for row in drawn}) == 15


def test_an_inferred_action_is_words_alone(world: WorldModel, states: list[State]) -> None:
    prompts = [world.layout.inverse_prompt(x, y) for x, y in pairwise(states)]
    drawn = world.sample("idm", prompts, 5, SamplingConfig(9, temperature=5.0), answer="action")
    assert all(token < world.codec.offset for row in drawn for token in row)


def test_probabilities_are_those_of_the_restricted_vocabulary(world: WorldModel, states: list[State]) -> None:
    prompt, answer = world.layout.forward_prompt(states[0], "remove the red circle"), world.state_completion(states[1])
    (score,) = world.log_prob("fwm", [prompt], [answer], answer="state")
    first = world.codec.offset
    with world.activate_adapter("fwm") as model, torch.no_grad():
        logits = model(input_ids=torch.tensor([prompt + answer])).logits[0, len(prompt) - 1 : -1, first:]
    expected = logits.log_softmax(-1)[torch.arange(16), torch.tensor(answer) - first].sum().item()
    assert score.total == pytest.approx(expected, abs=1e-3)
    with pytest.raises(ValueError, match="outside"):
        world.log_prob("fwm", [prompt], [world.completion("words")], answer="state")


def test_a_drawn_frame_is_read_as_what_it_was_drawn_from(world: WorldModel) -> None:
    ids = [world.codec.offset + (7 * i) % 32 for i in range(16)]
    state = world.codec.decode_state(ids)
    assert pictures.pixels(state.picture).shape == (64, 64, 3)
    assert world.codec.encode_state(state) == ids


def test_frames_of_any_size_are_taken(world: WorldModel) -> None:
    wide = State(picture=pictures.from_pixels(np.full((90, 160, 3), 200, np.uint8)))
    assert len(world.codec.encode_state(wide)) == 16


def test_it_answers_like_a_text_model(world: WorldModel, states: list[State]) -> None:
    world.max_action_tokens = 8
    found = world.infer(list(pairwise(states))[:2], alternatives=2)
    assert len(found) == 2 and found[0].log_prob < 0
    predictions = world.imagine(states[0], "move the red circle up", n=3)
    assert [p.score for p in predictions] == sorted((p.score for p in predictions), reverse=True)
    assert all(p.state.picture is not None for p in predictions)
    assert len(world.suggest_actions(states[0], 2)) <= 2


def test_texts_and_pictures_are_not_mixed_up(world: WorldModel, tiny_base: Path, states: list[State]) -> None:
    with pytest.raises(SwirlError, match="reads pictures"):
        world.infer([(State("a text"), states[0])])
    text = load_world_model(Path("unused"), str(tiny_base), "cpu")
    with pytest.raises(SwirlError, match="reads texts"):
        text.infer([(states[0], states[1])])
