"""A pretrained base that takes one name for another is found, and pretrained further until it no longer does."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from swirl.models import load_world_model
from swirl.models.world_model import WorldModel
from swirl.recipes import tiny_pretraining
from swirl.recipes.confused_tokens import unexpected_losses
from swirl.recipes.tiny_recipes import HELD_OUT_SEED, RECIPES, record_episodes
from swirl.recipes.tiny_stages import Stages, unfreeze_base
from swirl.worlds.household import Household

ROWS = record_episodes(Household(), HELD_OUT_SEED, 240)


class Copier:
    """Stands in for a base that copies the state of the prompt, as sure of each token as the world's steps allow.

    It takes the tokens of each pair in `confused` for each other half of the time, and knows how often the others stay.
    """

    device = torch.device("cpu")

    def __init__(self, world: WorldModel, confused: tuple[str, str] | None) -> None:
        self.vocabulary = len(world.tokenizer)
        self.embeddings = torch.nn.Embedding(self.vocabulary, 16)
        self.confused = [world.tokenizer(f" {word}")["input_ids"][-1] for word in confused or ()]
        self.states = {
            tuple(world.layout.forward_prompt(row.state, "")): world.state_completion(row.state) for row in ROWS
        }
        kept: dict[int, list[bool]] = {}
        for row in ROWS:
            pair = world.state_completion(row.state), world.state_completion(row.next_state)
            if len(pair[0]) == len(pair[1]):
                for before, after in zip(*pair, strict=True):
                    kept.setdefault(before, []).append(before == after)
        self.stays = {token: sum(places) / len(places) for token, places in kept.items()}

    def get_input_embeddings(self) -> torch.nn.Embedding:
        """Those that are moved apart."""
        return self.embeddings

    def __call__(self, input_ids: torch.Tensor) -> SimpleNamespace:
        ids = input_ids[0].tolist()
        prompt = max((p for p in self.states if tuple(ids[: len(p)]) == p), key=len)
        probabilities = torch.full((1, len(ids), self.vocabulary), 1e-6)
        for place, token in enumerate(self.states[prompt], start=len(prompt) - 1):
            share = 0.5 if token in self.confused else 1.0
            probabilities[0, place, token] = share * self.stays.get(token, 1.0)
            probabilities[0, place, 0] += 1 - share * self.stays.get(token, 1.0)
        return SimpleNamespace(logits=probabilities.log())


@pytest.fixture
def world(tmp_path: Path, monkeypatch) -> WorldModel:
    monkeypatch.setattr(tiny_pretraining, "COPIED_TRANSITIONS", len(ROWS))
    monkeypatch.setattr(WorldModel, "activate_adapter", lambda world, adapter: nullcontext(world.model))
    return load_world_model(tmp_path, "tiny-household", "cpu")


def test_two_names_taken_for_each_other_stand_out_from_what_changes(world: WorldModel) -> None:
    world.model = Copier(world, ("coin", "apple"))
    losses = unexpected_losses(world, ROWS)
    names = {world.tokenizer.decode([token]).strip(): value for token, value in losses.items()}
    assert names.pop("coin") == pytest.approx(0.5, abs=0.01) and names.pop("apple") == pytest.approx(0.5, abs=0.01)
    assert {"attic.", "hall.", "lying.", "held."} <= names.keys()  # these change often, as the copier expects
    assert max(abs(value) for value in names.values()) < 0.01
    found = tiny_pretraining.confused_tokens(world, RECIPES["tiny-household"])
    assert sorted(tiny_pretraining.token_name(world, token) for token in found) == ["' apple'", "' coin'"]


def test_judging_a_base_leaves_what_is_trained_as_it_was(tmp_path: Path) -> None:
    world = load_world_model(tmp_path, "tiny-household", "cpu")
    unfreeze_base(world)
    world.model.train()

    def trained() -> list[str]:
        return [name for name, parameter in world.model.named_parameters() if parameter.requires_grad]

    before = trained()
    assert before and not any("lora_" in name for name in before)
    unexpected_losses(world, ROWS[:8])
    assert trained() == before and world.model.training


def test_a_base_that_copies_every_token_is_left_as_it_is(world: WorldModel, monkeypatch) -> None:
    world.model = Copier(world, None)
    trained = []
    stages = Stages(total_steps=5)
    monkeypatch.setattr(stages, "train", lambda *_, **options: trained.append(options))
    tiny_pretraining.pretrain_until_copied(world, RECIPES["tiny-household"], [], 0, stages)
    assert trained == [] and stages.total_steps == 5


def test_only_the_named_embeddings_are_moved_and_by_about_their_length(world: WorldModel) -> None:
    world.model = Copier(world, None)
    weights = world.model.embeddings.weight.detach().clone()
    tiny_pretraining.move_apart(world, [5, 7], seed=1)
    moved = (world.model.embeddings.weight.detach() - weights).norm(dim=1)
    assert moved.nonzero().flatten().tolist() == [5, 7]
    assert moved[5] == pytest.approx(float(weights[5].norm()), rel=1e-4)


def test_pretraining_goes_on_until_no_name_is_taken_for_another(world: WorldModel, monkeypatch, caplog) -> None:
    recipe = replace(RECIPES["tiny-household"], extra_pretraining_steps=7, max_extra_rounds=4)
    learned_after, trained = 3, []
    stages = Stages(total_steps=5)

    def train(trained_world: WorldModel, *_: object, seed: int, steps: int, **__: object) -> None:
        trained.append((seed, steps))
        trained_world.model = Copier(world, None if len(trained) == learned_after else ("coin", "apple"))

    monkeypatch.setattr(stages, "train", train)
    world.model = Copier(world, ("coin", "apple"))
    tiny_pretraining.pretrain_until_copied(world, recipe, [], 2, stages)
    assert trained == [(103, 7), (104, 7), (105, 7)] and stages.total_steps == 5 + 3 * 7

    learned_after, world.model = 99, Copier(world, ("coin", "apple"))
    trained.clear()
    tiny_pretraining.pretrain_until_copied(world, recipe, [], 2, stages)
    assert len(trained) == 4
    tiny_pretraining.warn_of_confused_tokens(world, recipe)
    assert "the base takes these tokens for others, so no model built on it gets far: ' " in caplog.text
