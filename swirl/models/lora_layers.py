"""A faster forward pass for LoRA layers: folded weights without gradient, three plain products with gradient.

peft's own layer costs about a millisecond a call on a CPU, more than its arithmetic in a model of a hundred million
parameters: it converts the input to the adapter's float32, and computes there. Here a pass without gradient multiplies
by W + s B A, which is computed once per adapter and kept until the adapter changes, beside the untouched W. A pass with
gradient computes x W' + s (x A') B' in the number format of W, and keeps only x and x A' for the backward pass.

In bfloat16 either sum would lose an adapter that is still small: W and x W' are multiples of a step, and what is less
than half of it vanishes when the sum is rounded to the nearest. So the sum is rounded up or down at random, which keeps
the adapter in the mean; and passes with gradient multiply by the folded weights, too, if memory allows to keep them.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import psutil
import torch
from peft.tuners.lora import Linear as LoraLinear
from torch.optim.optimizer import register_optimizer_step_post_hook

from swirl.models.cpu_products import arrange_weight, multiply, pad_rows

MAX_FOLDED_SHARE = 0.25  # of the memory that is free when the model has been loaded


@dataclass
class FoldedSets:
    """How many adapters' folded weights each layer keeps, shared by all layers of a model; 0 folds none."""

    capacity: int


class FastLoraForward:
    """The forward pass of one LoRA layer.

    What it does not cover is left to peft: dropout, DoRA, sharded weights, and a W that is trained itself.
    """

    def __init__(self, layer: LoraLinear, sets: FoldedSets) -> None:
        self.layer, self.base, self.sets = layer, layer.get_base_layer(), sets
        self.peft_forward = layer.forward
        self.folded: OrderedDict[str, tuple[tuple[int, ...], torch.Tensor]] = OrderedDict()

    def __call__(self, x: torch.Tensor, *arguments: Any, **options: Any) -> torch.Tensor:
        """The output of the layer for x (…, in), equal to peft's up to rounding."""
        layer, weight = self.layer, self.base.weight
        if arguments or options or layer.merged or is_sharded(weight) or not self._has_format(x, weight):
            return self.peft_forward(x, *arguments, **options)
        if weight.requires_grad and torch.is_grad_enabled():  # SlimLora gives W no gradient
            return self.peft_forward(x)
        if layer.disable_adapters:
            return multiply(x, weight, self.base.bias)
        active = layer.active_adapters
        if len(active) != 1 or active[0] not in layer.lora_A or not is_plain(layer, active[0]):
            return self.peft_forward(x)
        name = active[0]
        if self.sets.capacity and not torch.is_grad_enabled():
            return multiply(x, self.folded_weight(name), self.base.bias)
        down, up = layer.lora_A[name].weight, layer.lora_B[name].weight
        folded = self.folded_weight(name) if self.sets.capacity else None
        return SlimLora.apply(x, weight, folded, self.base.bias, down, up, layer.scaling[name])

    @staticmethod
    def _has_format(x: torch.Tensor, weight: torch.Tensor) -> bool:
        """Whether the products can be computed in the weight's own format."""
        if not weight.is_floating_point() or x.dtype != weight.dtype:
            return False
        kind = x.device.type
        return not torch.is_autocast_enabled(kind) or torch.get_autocast_dtype(kind) == weight.dtype

    def folded_weight(self, name: str) -> torch.Tensor:
        """W + s B A of an adapter; computed anew after the adapter or W has changed."""
        down, up = self.layer.lora_A[name].weight, self.layer.lora_B[name].weight
        stamp = tuple(count for part in (down, up, self.base.weight) for count in change_counts(part))
        held = self.folded.get(name)
        if held is not None and held[0] == stamp:
            self.folded.move_to_end(name)
            return held[1]
        self.folded.pop(name, None)
        while len(self.folded) >= self.sets.capacity:
            self.folded.popitem(last=False)
        # Not of inference mode even if that is on: the folded weight outlives the pass.
        with torch.inference_mode(False):
            folded = arrange_weight(merge_weight(self.layer, name))
        self.folded[name] = (stamp, folded)
        return folded


@torch.no_grad()
def merge_weight(layer: LoraLinear, name: str) -> torch.Tensor:
    """W + s B A (out, in) of a plain adapter, a new tensor in the format of W."""
    weight = layer.get_base_layer().weight
    up = layer.lora_B[name].weight
    exact = multiply(up * layer.scaling[name], layer.lora_A[name].weight.T).add_(weight)
    if weight.dtype == torch.bfloat16 != up.dtype:
        exact = round_at_random(exact)
    return exact.to(weight.dtype)


def round_at_random(exact: torch.Tensor) -> torch.Tensor:
    """Round float32 numbers (M, N) in place to bfloat16 ones: up or down, the nearer the likelier; always the same way.

    The thresholds, the exclusive or of one number per row and one per column, are independent in pairs.
    """
    rows, columns = exact.shape
    generator = torch.Generator().manual_seed(0)
    thresholds = (torch.randint(0, 2**16, size, generator=generator).int() for size in ((rows, 1), (1, columns)))
    row, column = (part.to(exact.device) for part in thresholds)
    bits = exact.view(torch.int32)
    bits += row ^ column
    bits &= -(2**16)  # the lower half of a float32 is what bfloat16 lacks
    return exact


class SlimLora(torch.autograd.Function):
    """x W' + b + s (x A') B' with gradients of x, A and B; W and b are frozen."""

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        weight: torch.Tensor,
        folded: torch.Tensor | None,
        bias: torch.Tensor | None,
        down: torch.Tensor,
        up: torch.Tensor,
        scaling: float,
    ) -> torch.Tensor:
        """The output (…, out) for x (…, in), `down` A (r, in), `up` B (out, r), and W + s B A if it is given."""
        rows = x.reshape(-1, x.shape[-1])
        padded = pad_rows(rows)
        narrow = multiply(padded, down.to(x.dtype))
        if folded is not None:
            out = multiply(padded, folded, bias)
        elif weight.dtype == torch.bfloat16 != up.dtype:
            exact = multiply(narrow.to(up.dtype), up * scaling).add_(multiply(padded, weight, bias))
            out = round_at_random(exact).to(weight.dtype)
        else:
            out = multiply(padded, weight, bias).addmm_(narrow, up.to(x.dtype).T, alpha=scaling)
        ctx.save_for_backward(rows, narrow, weight, down, up)  # not the padded rows: layers share x in memory
        ctx.scaling, ctx.shape = scaling, x.shape
        return out[: len(rows)].view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """The gradients of x, A and B; those of A and B in the adapter's format."""
        rows, narrow, weight, down, up = ctx.saved_tensors
        gradient = gradient.reshape(-1, gradient.shape[-1])
        count = len(rows)
        rows, gradient = pad_rows(rows), pad_rows(gradient)  # as `narrow` is; the sums below run over them
        narrow_gradient = multiply(gradient, up.to(gradient.dtype).T) * ctx.scaling
        x_gradient = None
        if ctx.needs_input_grad[0]:
            x_gradient = multiply(gradient, weight.T).addmm_(narrow_gradient, down.to(gradient.dtype))
            x_gradient = x_gradient[:count].view(ctx.shape)
        down_gradient = up_gradient = None
        if ctx.needs_input_grad[4]:
            down_gradient = multiply(narrow_gradient.T, rows.T).to(down.dtype)
        if ctx.needs_input_grad[5]:
            up_gradient = multiply(narrow.T, gradient.T).T.mul(ctx.scaling).to(up.dtype)
        return x_gradient, None, None, None, down_gradient, up_gradient, None


def change_counts(parameter: torch.Tensor) -> tuple[int, int]:
    """Numbers that change whenever the parameter does.

    torch counts changes itself, but not those of its fused optimisers, which write to the memory directly.
    """
    return parameter._version, getattr(parameter, "swirl_optimizer_steps", 0)


def count_optimizer_step(optimizer: torch.optim.Optimizer, *_: Any) -> None:
    """Note on each parameter of an optimiser that it has been updated."""
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.swirl_optimizer_steps = getattr(parameter, "swirl_optimizer_steps", 0) + 1


register_optimizer_step_post_hook(count_optimizer_step)


def is_plain(layer: LoraLinear, name: str) -> bool:
    """Whether an adapter is an ordinary LoRA without dropout, bias or a variant such as DoRA."""
    return (
        isinstance(layer.lora_dropout[name], torch.nn.Identity)
        and name not in layer.lora_variant
        and not layer.lora_bias.get(name, False)
    )


def is_sharded(weight: torch.Tensor) -> bool:
    """Whether FSDP or DeepSpeed has sharded this weight."""
    return hasattr(weight, "full_tensor") or hasattr(weight, "ds_id")


def folded_sets_that_fit(model: torch.nn.Module) -> int:
    """For how many adapters folded weights may be kept, in at most a quarter of the free memory: none to three.

    A training step uses three: the trainee, its partner and the reference.
    """
    weights = [layer.get_base_layer().weight for layer in covered_layers(model)]
    size = sum(weight.numel() * weight.element_size() for weight in weights)
    if not size or any(is_sharded(weight) or not weight.is_floating_point() for weight in weights):
        return 0
    device = weights[0].device
    free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else psutil.virtual_memory().available
    return min(3, int(free * MAX_FOLDED_SHARE / size))


def covered_layers(model: torch.nn.Module) -> list[LoraLinear]:
    """The LoRA layers that the fast forward pass covers: those over an ordinary linear layer."""
    layers = [layer for layer in model.modules() if isinstance(layer, LoraLinear) and not layer.fan_in_fan_out]
    return [layer for layer in layers if type(layer.get_base_layer()) is torch.nn.Linear]


def forget_folded_weights(model: torch.nn.Module) -> None:
    """Compute all folded weights anew, after weights have changed in a way that torch does not count."""
    for layer in covered_layers(model):
        if isinstance(layer.forward, FastLoraForward):
            layer.forward.folded.clear()


def install_fast_lora(model: torch.nn.Module, capacity: int) -> FoldedSets:
    """Give every covered LoRA layer the fast forward pass, with folded weights for at most `capacity` adapters."""
    sets = FoldedSets(capacity)
    for layer in covered_layers(model):
        layer.forward = FastLoraForward(layer, sets)
    return sets
