"""Products with weight matrices on a CPU, computed by oneDNN.

torch computes float32 products on a CPU with another library (MKL), which takes more than twice as long on processors
that are not Intel's. And whichever computes them, a weight matrix is rearranged for each product, which takes longer
than the product itself while completions are sampled token by token; oneDNN can be given one that is arranged already.
The operations are those that torch's compiler generates code for; results are equal up to the order of the sums.

oneDNN compiles code for each new shape and keeps it: about 0.7 MB, and more than 1 GB after the 2000 numbers of tokens
that a few thousand training steps bring. So the numbers of rows are rounded up to a few, with rows of zeros.
"""

from __future__ import annotations

import platform

import torch
from torch.nn.functional import linear, pad

MIN_WEIGHTS = 16_384  # smaller matrices are not worth arranging
MIN_MULTIPLICATIONS = 1_000_000  # a smaller float32 product, with a weight that is not arranged, is not worth the call
ROUNDED_ROWS = 16  # fewer rows than this are not rounded up: there are few such numbers
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


def rounded_rows(count: int) -> int:
    """`count` rounded up to a multiple of an eighth of the power of two below it, or of ROUNDED_ROWS if that is more.

    From 16 to 8192 there are 56 such numbers; at most an eighth of the rows is added to 128 rows or more.
    """
    if count < ROUNDED_ROWS:
        return count
    step = max(ROUNDED_ROWS, 2 ** (count.bit_length() - 4))
    return -(-count // step) * step


def pad_rows(x: torch.Tensor) -> torch.Tensor:
    """x (N, in) with rows of zeros up to `rounded_rows` where oneDNN may multiply it; else itself."""
    missing = rounded_rows(len(x)) - len(x)
    return pad(x, (0, 0, 0, missing)) if missing and is_supported(x) else x


def multiply(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """x W' + b for x (…, in) and a weight (out, in), arranged or not; (…, out).

    Where a gradient is needed, torch multiplies; an arranged weight gives none.
    """
    if torch.is_grad_enabled() and (x.requires_grad or weight.requires_grad):
        return linear(x, weight, bias)
    is_arranged = weight.is_mkldnn
    is_large = x.numel() * weight.shape[0] >= MIN_MULTIPLICATIONS
    if not is_arranged and not (is_large and is_supported(weight) and x.dtype == weight.dtype):
        return linear(x, weight, bias)
    rows = x.reshape(-1, x.shape[-1])
    padded = pad_rows(rows)
    if is_arranged or weight.dtype == torch.float32:
        product = torch.ops.mkldnn._linear_pointwise(padded, weight, bias, "none", [], "")
    else:
        product = linear(padded, weight, bias)  # in bfloat16 torch computes with oneDNN itself
    return product[: len(rows)].view(*x.shape[:-1], -1)
