"""The base model for texts of any words: its random training data, and the accuracy of the shipped model."""

from __future__ import annotations

import random

import pytest
import torch
from transformers import LlamaForCausalLM

from swirl import paths
from swirl.models.prompts import ACTION_TAG, END_TAG, NEXT_TAG, STATE_TAG, TAGS
from swirl.recipes.tiny_copier import Stage, build_copier, completion_token_accuracy, random_pairs, random_transition


def test_a_random_step_changes_what_its_action_says():
    rng = random.Random(0)
    steps = [random_transition(rng, rng.randint(1, 40)) for _ in range(500)]
    unchanged = [action for before, action, after in steps if before == after]
    assert 25 < sum(not action for action in unchanged) < 100
    for before, action, after in steps:
        assert all(len(TAGS) <= token < 1024 for token in (*before, *action, *after))
        assert set(after) <= {*before, *action}  # the action contains every new id
        assert len(after) >= len(before) - 12 and len(action) <= 16


def test_both_tasks_are_laid_out_as_a_prompt_is():
    state, following, action, end = (TAGS.index(tag) for tag in (STATE_TAG, NEXT_TAG, ACTION_TAG, END_TAG))
    pairs = random_pairs(200, 5, 9, seed=1)
    assert len(pairs) == 200 and pairs == random_pairs(200, 5, 9, seed=1) != random_pairs(200, 5, 9, seed=2)
    silent = 0
    for (forward, after), (inverse, said) in zip(pairs[::2], pairs[1::2], strict=True):
        told, before = forward[1 : forward.index(state)], forward[forward.index(state) + 1 : -1]
        assert forward == [action, *told, state, *before, following] and after[-1] == said[-1] == end
        assert inverse == [state, *before, following, *after[:-1], action] and 5 <= len(before) <= 9
        assert told in ([], said[:-1])
        silent += not told
    assert 10 < silent < 60


@pytest.mark.slow
def test_a_model_is_built_and_written(tmp_path):
    built = build_copier(tmp_path, seed=0, stages=[Stage(steps=2, rows=4, shortest=3, longest=6, learning_rate=1e-3)])
    read = LlamaForCausalLM.from_pretrained(str(tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "config.json",
        "generation_config.json",
        "model.safetensors",
    ]
    ids = torch.tensor([[2, 9, 8, 3]])
    assert torch.allclose(read.float()(input_ids=ids).logits, built.float()(input_ids=ids).logits, atol=1e-2)


def test_the_shipped_one_copies_what_it_never_saw():
    model = LlamaForCausalLM.from_pretrained(str(paths.assets() / "tiny-copier"), dtype=torch.float32).eval()
    unseen = random_pairs(120, 8, 120, seed=12345)
    assert completion_token_accuracy(model, unseen[::2]) > 0.8
