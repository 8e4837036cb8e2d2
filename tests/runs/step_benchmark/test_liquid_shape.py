"""The model in the shape of Liquid: its size, its vocabulary, and that it works as a world model."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from swirl.models import load_world_model
from swirl.models.token_sampling import SamplingConfig
from swirl.runs.step_benchmark.liquid_shape import CODES, WORDS, liquid_config, random_transitions, write_liquid_shape
from swirl.runs.step_benchmark.workload import LIQUID_SHAPES


@pytest.mark.parametrize("name", ["liquid-64", "liquid-256"])
def test_it_is_an_image_model_of_fourteen_million_weights(name: str, tmp_path: Path) -> None:
    write_liquid_shape(tmp_path / "model", LIQUID_SHAPES[name])
    world = load_world_model(tmp_path, str(tmp_path / "model"), "cpu")
    assert world.describe()["parameters"] == pytest.approx(14.5e6, rel=0.005)
    assert world.kind == "image"
    assert world.codec.completion_length == int(name.rpartition("-")[2])
    support = world.token_support("state")
    assert (support.low, support.high) == (WORDS, WORDS + CODES)
    assert pytest.approx(0.13, abs=0.005) == CODES / (WORDS + CODES)


@pytest.mark.parametrize(("name", "billions"), [("liquid-0.5b", 0.5), ("liquid-3b", 3.0), ("liquid-7b", 7.0)])
def test_the_shapes_for_gpus_are_as_large_as_they_say(name: str, billions: float) -> None:
    shape = LIQUID_SHAPES[name]
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(liquid_config(shape))
    assert sum(weight.numel() for weight in model.parameters()) == pytest.approx(billions * 1e9, rel=0.02)
    assert shape.codes_per_side**2 == 1024


def test_sampled_actions_keep_their_length_as_texts(tmp_path: Path) -> None:
    write_liquid_shape(tmp_path / "model", LIQUID_SHAPES["liquid-64"])
    world = load_world_model(tmp_path, str(tmp_path / "model"), "cpu")
    (transition,) = random_transitions(8, 1)
    torch.manual_seed(0)
    prompt = world.layout.inverse_prompt(transition.state, transition.next_state)
    sampled = world.sample("idm", [prompt], 8, SamplingConfig(16), answer="action")
    lengths = [len(world.codec.encode(world.codec.decode(ids))) for ids in sampled]
    assert all(13 <= length <= 18 for length in lengths), lengths


def test_transitions_are_always_the_same() -> None:
    first, again = random_transitions(8, 3), random_transitions(8, 3)
    assert [t.state.picture.encoded for t in first] == [t.state.picture.encoded for t in again]
    assert len({t.state.picture.encoded for t in first} | {t.next_state.picture.encoded for t in first}) == 6
