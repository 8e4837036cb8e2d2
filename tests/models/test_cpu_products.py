"""Products by oneDNN are torch's own, for weights as they are and arranged."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import linear

from swirl.models import cpu_products
from swirl.models.cpu_products import arrange_weight, multiply

TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 0.13}  # sums of 300 products near 17 have bfloat16 steps of 0.125


def matrix(*shape: int, dtype: torch.dtype) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape))).to(dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(300,), (1, 300), (3, 5, 300), (200, 300)])
@pytest.mark.parametrize("is_arranged", [False, True])
def test_products_are_torchs_own(dtype: torch.dtype, shape: tuple[int, ...], is_arranged: bool) -> None:
    weight, bias, x = matrix(400, 300, dtype=dtype), matrix(400, dtype=dtype), matrix(*shape, dtype=dtype)
    used = arrange_weight(weight) if is_arranged else weight
    for each in (None, bias):
        found = multiply(x, used, each)
        assert found.dtype == dtype and found.shape == (*shape[:-1], 400)
        assert (found.float() - linear(x, weight, each).float()).abs().max() <= TOLERANCE[dtype]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_transposed_matrices_need_no_copy(dtype: torch.dtype) -> None:
    weight, gradient = matrix(400, 300, dtype=dtype), matrix(250, 400, dtype=dtype)
    back = multiply(gradient, weight.T)
    assert (back.float() - (gradient @ weight).float()).abs().max() <= TOLERANCE[dtype]
    narrow = matrix(250, 16, dtype=dtype)
    outer = multiply(narrow.T, gradient.T)
    assert (outer.float() - (narrow.T @ gradient).float()).abs().max() <= TOLERANCE[dtype]


def test_arranging_keeps_the_weight_and_spares_small_ones() -> None:
    weight = matrix(400, 300, dtype=torch.float32)
    before = weight.clone()
    arranged = arrange_weight(weight)
    weight.zero_()
    assert torch.allclose(multiply(before[:2], arranged), before[:2] @ before.T, atol=1e-3)
    small = matrix(8, 8, dtype=torch.float32)
    assert arrange_weight(small) is small
    double = matrix(400, 300, dtype=torch.float64)
    assert arrange_weight(double) is double
    assert torch.equal(multiply(double, double), double @ double.T)


def test_without_onednn_torch_multiplies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu_products, "HAS_ONEDNN", False)
    weight, x = matrix(400, 300, dtype=torch.float32), matrix(200, 300, dtype=torch.float32)
    assert arrange_weight(weight) is weight
    assert torch.equal(multiply(x, weight), linear(x, weight))
