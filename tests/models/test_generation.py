"""Sampling and scoring match a plain forward pass and the generation of transformers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from swirl.models import load_world_model
from swirl.models.generation import SamplingConfig, batches_within_token_limit, sample_token
from swirl.models.world_model import WorldModel


@pytest.fixture(scope="module", params=["tags", "chat"])
def world(request, tiny_base: Path, tiny_qwen: Path, tmp_path_factory) -> WorldModel:
    home = tmp_path_factory.mktemp("home")
    return load_world_model(home, str(tiny_base if request.param == "tags" else tiny_qwen), "cpu", "float32")


def ids(world: WorldModel, *texts: str) -> list[list[int]]:
    return [world.codec.encode(text) for text in texts]


def test_greedy_sampling_equals_transformers_own(world: WorldModel) -> None:
    prompts = ids(world, "you are in hall.", "a rather longer prompt than the other one", "x")
    ours = world.sample("fwm", prompts, 1, SamplingConfig(12, temperature=0.0), answer="state")
    for prompt, completion in zip(prompts, ours, strict=True):
        theirs = world.model.generate(
            input_ids=torch.tensor([prompt]),
            attention_mask=torch.ones((1, len(prompt)), dtype=torch.long),
            do_sample=False,
            max_new_tokens=12,
            eos_token_id=sorted(world.end_ids),
            pad_token_id=world.tokenizer.pad_token_id,
        )[0, len(prompt) :].tolist()
        assert completion == theirs


def test_completions_come_in_runs_and_end_at_the_first_end(world: WorldModel) -> None:
    prompts = ids(world, "you are in hall.", "the lamp is on")
    generator = torch.Generator().manual_seed(0)
    drawn = world.sample("fwm", prompts, 20, SamplingConfig(6, temperature=3.0), generator, answer="state")
    assert len(drawn) == 40
    assert all(1 <= len(row) <= 6 for row in drawn)
    assert all(token not in world.end_ids for row in drawn for token in row[:-1])
    again = world.sample(
        "fwm", prompts, 20, SamplingConfig(6, temperature=3.0), torch.Generator().manual_seed(0), answer="state"
    )
    assert again == drawn


def test_log_probs_equal_a_plain_forward_pass(world: WorldModel) -> None:
    prompts = ids(world, "you are in hall.", "a rather longer prompt than the other one")
    completions = ids(world, "kitchen", "the lamp is off, and more")
    found = world.log_prob("idm", prompts, completions, answer="action")
    for prompt, completion, score in zip(prompts, completions, found, strict=True):
        with world.activate_adapter("idm") as model, torch.no_grad():
            logits = model(input_ids=torch.tensor([prompt + completion])).logits[0].log_softmax(-1)
        plain = sum(logits[len(prompt) - 1 + i, token].item() for i, token in enumerate(completion))
        assert score.total == pytest.approx(plain, abs=1e-3)
        assert score.tokens == len(completion)


def test_top_k_and_top_p_keep_only_the_likeliest() -> None:
    logits = torch.log(torch.tensor([[0.5, 0.3, 0.15, 0.05]])).repeat(2000, 1)
    generator = torch.Generator().manual_seed(0)
    assert set(sample_token(logits, SamplingConfig(1, top_k=2), generator).tolist()) == {0, 1}
    assert set(sample_token(logits, SamplingConfig(1, top_p=0.6), generator).tolist()) == {0, 1}
    assert set(sample_token(logits, SamplingConfig(1, top_p=0.0), generator).tolist()) == {0}
    drawn = sample_token(logits, SamplingConfig(1), generator)
    assert (drawn == 0).float().mean().item() == pytest.approx(0.5, abs=0.05)


def test_batches_cover_every_row_once_within_the_bounds() -> None:
    lengths = [30_000, 10, 10, 40_000, 5, 5]
    runs = list(batches_within_token_limit(lengths))
    assert [i for start, end in runs for i in range(start, end)] == list(range(6))
    assert runs == [(0, 1), (1, 3), (3, 4), (4, 6)]


def test_activating_an_adapter_restores_everything_afterwards(world: WorldModel) -> None:
    world.model.set_adapter("idm")
    world.model.train()
    before = {name for name, p in world.model.named_parameters() if p.requires_grad}
    with world.activate_adapter("fwm") as model:
        assert not model.training
        assert model.active_adapter == "fwm"
    with world.activate_adapter(None):
        pass
    assert world.model.training
    assert world.model.active_adapter == "idm"
    assert {name for name, p in world.model.named_parameters() if p.requires_grad} == before
