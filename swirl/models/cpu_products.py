"""Products with weight matrices on a CPU, computed by oneDNN.

torch computes float32 products on a CPU with another library (MKL), which takes more than twice as long on processors
that are not Intel's. And whichever computes them, a weight matrix is rearranged for each product, which takes longer
than the product itself while completions are sampled token by token; oneDNN can be given one that is arranged already.
The operations are those that torch's compiler generates code for; results are equal up to the order of the sums.
"""

from __future__ import annotations

import platform

import torch
from torch.nn.functional import linear

MIN_WEIGHTS = 16_384  # smaller matrices are not worth arranging
MIN_MULTIPLICATIONS = 1_000_000  # a smaller float32 product, with a weight that is not arranged, is not worth the call
EXPECTED_ROWS = 16  # for which a weight is arranged; others are as fast


def has_onednn() -> bool:
    """Whether this installation of torch computes with oneDNN, and on a processor for which it was tuned."""
    operations = torch.ops.mkldnn
    is_complete = all(hasattr(operations, name) for name in ("_linear_pointwise", "_reorder_linear_weight"))
    return platform.machine().lower() in ("x86_64", "amd64") and torch.backends.mkldnn.is_available() and is_complete


HAS_ONEDNN = has_onednn()


def is_supported(weight: torch.Tensor) -> bool:
    """Whether oneDNN can compute products with this weight (out, in)."""
    return HAS_ONEDNN and weight.device.type == "cpu" and weight.dtype in (torch.float32, torch.bfloat16)


def arrange_weight(weight: torch.Tensor) -> torch.Tensor:
    """The weight (out, in) arranged for `multiply`; itself where that is of no use."""
    if weight.numel() < MIN_WEIGHTS or not is_supported(weight):
        return weight
    return torch.ops.mkldnn._reorder_linear_weight(weight.detach(), EXPECTED_ROWS)


def multiply(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """x W' + b for x (…, in) and a weight (out, in), arranged or not; (…, out).

    Where a gradient is needed, torch multiplies; an arranged weight gives none.
    """
    if torch.is_grad_enabled() and (x.requires_grad or weight.requires_grad):
        return linear(x, weight, bias)
    if weight.is_mkldnn or (
        weight.dtype == torch.float32
        and x.numel() * weight.shape[0] >= MIN_MULTIPLICATIONS
        and is_supported(weight)
        and x.dtype == weight.dtype
    ):
        return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    return linear(x, weight, bias)
