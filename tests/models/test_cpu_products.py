"""Products by oneDNN are torch's own, for weights as they are and arranged."""

from __future__ import annotations

import subprocess
import sys

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


def test_rows_are_rounded_up_to_few_numbers_not_far_above() -> None:
    rounded = {count: cpu_products.rounded_rows(count) for count in range(8193)}
    assert all(count <= high for count, high in rounded.items())
    assert all(high == count for count, high in rounded.items() if count < 16 or count in (16, 128, 576, 1536, 8192))
    assert max(high / count for count, high in rounded.items() if count >= 128) <= 9 / 8
    assert len({high for count, high in rounded.items() if count >= 16}) == 56


@pytest.mark.skipif(not cpu_products.HAS_ONEDNN, reason="this torch has no oneDNN")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_memory_does_not_grow_with_every_number_of_rows(dtype: torch.dtype) -> None:
    code = (
        "import psutil, sys, torch; from swirl.models.cpu_products import multiply\n"
        "weight = torch.randn(400, 64).to(getattr(torch, sys.argv[1])); process = psutil.Process()\n"
        "def run(n): multiply(torch.ones(n, 64, dtype=weight.dtype), weight)\n"
        "run(300); before = process.memory_info().rss\n"
        "for n in range(200, 600): run(n)\n"
        "print((process.memory_info().rss - before) / 1e6)"
    )
    name = str(dtype).removeprefix("torch.")
    done = subprocess.run([sys.executable, "-c", code, name], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 60  # 230 to 250 before rows were rounded up, 10 to 15 since
