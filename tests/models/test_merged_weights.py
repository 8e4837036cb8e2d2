"""The weights that another engine gets are those of the plain model, computing as the adapter does."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from peft import LoraConfig
from transformers import AutoModelForCausalLM

from swirl.errors import SwirlError
from swirl.models import load_world_model
from swirl.models.merged_weights import merged_weights, plain_layers
from swirl.models.world_model import WorldModel


@pytest.fixture
def world(tiny_qwen: Path, tmp_path: Path) -> WorldModel:
    """A model with biases and a vocabulary that is padded, and with adapters that change it."""
    world = load_world_model(tmp_path, str(tiny_qwen), "cpu", "float32")
    generator = torch.Generator().manual_seed(0)
    for name, parameter in world.model.named_parameters():
        if "lora_B" in name:
            parameter.data.normal_(std=0.3, generator=generator)
    return world


def test_a_plain_model_with_them_computes_as_the_adapter_does(world: WorldModel, tiny_qwen: Path) -> None:
    plain, ids = AutoModelForCausalLM.from_pretrained(tiny_qwen).eval(), torch.tensor([[5, 6, 7, 8]])
    before = {name: value.detach().clone() for name, value in world.model.named_parameters()}
    bare = plain(ids).logits
    for adapter in ("fwm", "idm"):
        given = dict(merged_weights(world.model, adapter))
        assert given.keys() == dict(plain.named_parameters()).keys()
        plain.load_state_dict(given, strict=False)
        with world.activate_adapter(adapter) as model, torch.no_grad():
            assert torch.allclose(plain(ids).logits, model(ids).logits, atol=1e-5)
        assert not torch.allclose(plain(ids).logits, bare, atol=1e-2)
    assert all(torch.equal(value, before[name]) for name, value in world.model.named_parameters())


def test_in_bfloat16_a_small_adapter_is_not_rounded_away(tiny_qwen: Path, tmp_path: Path) -> None:
    world = load_world_model(tmp_path, str(tiny_qwen), "cpu", "bfloat16")
    for name, parameter in world.model.named_parameters():
        if "lora_B" in name:
            parameter.data.fill_(1e-4)
    bare = dict(AutoModelForCausalLM.from_pretrained(tiny_qwen, dtype=torch.bfloat16).named_parameters())
    given = dict(merged_weights(world.model, "fwm"))
    assert all(weight.dtype == torch.bfloat16 for weight in given.values())
    assert any(not torch.equal(weight, bare[name]) for name, weight in given.items())


def test_an_adapter_that_is_no_ordinary_lora_is_refused(world: WorldModel) -> None:
    assert len(plain_layers(world.model, "fwm")) == 14
    world.model.add_adapter("other", LoraConfig(r=2, target_modules=["q_proj"], use_dora=True))
    with pytest.raises(SwirlError, match=r"The adapter other cannot be merged into the layer model\.layers\.0"):
        list(merged_weights(world.model, "other"))
