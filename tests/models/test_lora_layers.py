"""The fast forward pass of LoRA layers gives peft's results, follows every change of an adapter, leaves W untouched."""

from __future__ import annotations

import copy

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

from swirl.models.lora_layers import install_fast_lora, round_at_random

IDS = torch.tensor([[1, 5, 9, 2, 7], [3, 3, 8, 1, 0]])


def build(dtype: torch.dtype = torch.float32, width: int = 16, **options: object) -> PeftModel:
    """A tiny model with the adapters fwm and idm, whose B is not zero."""
    torch.manual_seed(0)
    base = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=32,
            hidden_size=width,
            intermediate_size=24,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
        )
    )
    base.to(dtype).requires_grad_(False)
    config = LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM", **options)
    model = get_peft_model(base, config, adapter_name="fwm")
    model.add_adapter("idm", config)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    model.set_adapter("fwm")
    return model.eval()


def logits(model: PeftModel) -> torch.Tensor:
    with torch.no_grad():
        return model(IDS).logits


@pytest.mark.parametrize("capacity", [0, 1, 2])
def test_outputs_are_pefts_for_each_adapter_and_without_one(capacity: int) -> None:
    model = build()
    fast = copy.deepcopy(model)
    before = {name: tensor.clone() for name, tensor in fast.state_dict().items()}
    install_fast_lora(fast, capacity)
    for adapter in ("fwm", "idm", "fwm"):
        model.set_adapter(adapter)
        fast.set_adapter(adapter)
        assert torch.allclose(logits(fast), logits(model), atol=1e-5)
    with model.disable_adapter(), fast.disable_adapter():
        assert torch.allclose(logits(fast), logits(model), atol=1e-6)
    assert all(torch.equal(before[name], tensor) for name, tensor in fast.state_dict().items())


@pytest.mark.parametrize("capacity", [0, 2])
@pytest.mark.parametrize("width", [16, 512])
def test_gradients_are_pefts(capacity: int, width: int) -> None:
    """With the larger width products are computed by oneDNN."""
    model = build(width=width)
    fast = copy.deepcopy(model)
    install_fast_lora(fast, capacity)
    for each in (model, fast):
        each(IDS).logits.log_softmax(-1)[..., 3].sum().backward()
    gradients = dict(fast.named_parameters())
    compared = 0
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            assert torch.allclose(gradients[name].grad, parameter.grad, atol=1e-5 * width**0.5), name
            compared += 1
    assert compared == 2 * 2 * 7


@pytest.mark.parametrize("options", [{"fused": True}, {"foreach": True}, {}])
def test_folded_weights_follow_every_optimiser(options: dict[str, bool]) -> None:
    """torch's fused optimisers change parameters without counting it."""
    model = build()
    install_fast_lora(model, 2)
    start = logits(model)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=0.05, **options)
    model(IDS).logits.sum().backward()
    optimizer.step()
    folded = logits(model)
    assert not torch.allclose(folded, start, atol=1e-3)
    assert torch.allclose(folded, model(IDS).logits, atol=1e-5)


def test_half_precision_stays_close_to_peft() -> None:
    model = build(torch.bfloat16)
    fast = copy.deepcopy(model)
    install_fast_lora(fast, 1)
    difference = (logits(fast).float() - logits(model).float()).abs()
    assert 0 < difference.max() < 0.02
    fast(IDS).logits.float().sum().backward()
    gradients = [parameter.grad for parameter in fast.parameters() if parameter.grad is not None]
    assert {gradient.dtype for gradient in gradients} == {torch.float32}


def test_what_is_not_ordinary_lora_is_left_to_peft() -> None:
    model = build(lora_dropout=0.5)
    fast = copy.deepcopy(model)
    install_fast_lora(fast, 2)
    assert torch.allclose(logits(fast), logits(model), atol=1e-6)
    with_dora = build(use_dora=True)
    reference = logits(with_dora)
    install_fast_lora(with_dora, 2)
    assert torch.allclose(logits(with_dora), reference, atol=1e-6)


def test_numbers_are_rounded_up_or_down_so_that_their_mean_stays() -> None:
    torch.manual_seed(0)
    exact = torch.randn(400, 300)
    coarse = exact.bfloat16().float()
    change = torch.full_like(coarse, 1e-5)  # far less than half a step of nearly all numbers
    rounded = round_at_random(coarse + change)
    assert torch.equal(rounded, rounded.bfloat16().float())
    assert torch.equal(rounded, round_at_random(coarse + change))
    assert ((rounded - coarse).abs() <= coarse.abs() * 2**-7 + change).all()
    assert (rounded - coarse).mean() == pytest.approx(1e-5, rel=0.2)
    assert (coarse + change).bfloat16().sub(coarse).mean() < 2e-6  # what rounding to the nearest leaves of it
    special = torch.tensor([[0.0, -0.0, torch.inf, -torch.inf, 1.0, -2.5]])
    assert torch.equal(round_at_random(special.clone()), special)


@pytest.mark.parametrize("capacity", [0, 1])
@pytest.mark.parametrize("with_gradient", [False, True])
def test_in_half_precision_a_small_adapter_is_not_lost(capacity: int, with_gradient: bool) -> None:
    """The outputs move as far as in float32, though nearly all changes of weights are below half a step."""
    torch.manual_seed(0)
    base = torch.nn.Sequential(torch.nn.Linear(512, 256, bias=False, dtype=torch.bfloat16))
    model = get_peft_model(base, LoraConfig(r=8, lora_alpha=16, target_modules=["0"]), adapter_name="fwm")
    layer = model.base_model.model[0]
    down, up = layer.lora_A["fwm"].weight, layer.lora_B["fwm"].weight
    with torch.no_grad():
        up.normal_(std=2e-4)
        x = torch.randn(512, 512).bfloat16()
        expected = 2 * (x.float() @ down.T) @ up.T
        plain = layer.get_base_layer()(x).float()
    install_fast_lora(model, capacity)
    with torch.set_grad_enabled(with_gradient):
        change = layer(x).detach().float() - plain
    assert (change * expected).sum() / (expected * expected).sum() == pytest.approx(1.0, abs=0.15)


@pytest.mark.parametrize("capacity", [0, 2])
def test_a_base_that_is_trained_gets_pefts_gradients_and_is_folded_anew(capacity: int) -> None:
    model = build()
    for name, parameter in model.named_parameters():
        parameter.requires_grad_("lora_" not in name)
    fast = copy.deepcopy(model)
    install_fast_lora(fast, capacity)
    assert torch.allclose(logits(fast), logits(model), atol=1e-5)
    for one in (model, fast):
        optimizer = torch.optim.AdamW([p for p in one.parameters() if p.requires_grad], lr=0.01, fused=True)
        one(IDS).logits.square().mean().backward()
        optimizer.step()
    theirs = dict(model.named_parameters())
    for name, parameter in fast.named_parameters():
        if parameter.requires_grad:
            assert torch.allclose(parameter.grad, theirs[name].grad, atol=1e-6), name
    assert torch.allclose(logits(fast), logits(model), atol=1e-4)
