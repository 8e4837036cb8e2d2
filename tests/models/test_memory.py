"""The estimate of GPU memory against sums done by hand."""

from __future__ import annotations

import subprocess
import sys

import pytest

from swirl.models import memory
from swirl.models.memory import estimate

# Liquid's shape: Gemma 7B with 8192 codes, 512 x 512 frames of 1024 tokens.
LIQUID = {
    "parameters": 8_600_000_000,
    "layers": 28,
    "hidden": 3072,
    "vocabulary": 8192,
    "key_value_width": 4096,
    "inner": 24_576,
    "prompts": 1,
    "group_size": 8,
    "prompt_tokens": 1100,
    "completion_tokens": 1024,
}
SMALL = {
    "parameters": 1000,
    "layers": 2,
    "hidden": 12,
    "vocabulary": 7,
    "prompts": 3,
    "group_size": 4,
    "prompt_tokens": 5,
    "completion_tokens": 6,
    "lora_rank": 2,
}


def test_a_small_step_by_hand() -> None:
    found = estimate(**SMALL)
    assert found.weights == 2000
    assert found.adapters == 2 * 2 * (8 * 12 + 3 * (12 + 32)) * 6 * 4  # six copies of four bytes
    tokens = 3 * 4 * (5 + 6)
    assert found.activations == tokens * (2 * 12 + 8 * 12 + 3 * 32) * 2
    assert found.logits == 12 * 6 * 7 * 3 * 4
    assert found.cache == 0
    used = found.weights + found.adapters + found.activations + found.logits
    assert found.overhead == round(0.08 * used) + 750_000_000
    assert found.total == used + found.overhead
    assert found.gigabytes == found.total / 1e9


def test_what_each_number_changes() -> None:
    base = estimate(**SMALL)
    assert estimate(**SMALL, bits=32).weights == 4000
    assert estimate(**SMALL, bits=8).weights == 1000
    assert estimate(**SMALL, bits=4).weights == 516  # 4.127 bits each
    assert estimate(**SMALL, outside=50).weights == base.weights + 100
    assert estimate(**SMALL, lora_parameters=1).adapters == 24
    assert estimate(**SMALL, checkpointing=False).activations == 3 * 4 * 11 * 2 * (8 * 12 + 3 * 32) * 2
    assert estimate(**SMALL, inner=12).activations == 3 * 4 * 11 * (2 * 12 + 11 * 12) * 2
    halves = estimate(**SMALL, micro_batches=2)
    assert (halves.activations, halves.logits) == (base.activations / 2, base.logits / 2)
    assert halves.adapters == base.adapters
    with pytest.raises(ValueError, match="3 bits"):
        estimate(**SMALL, bits=3)


def test_where_drawing_needs_more_than_learning_the_cache_counts() -> None:
    found = estimate(**SMALL, micro_batches=12, key_value_width=100)
    assert found.cache == 12 * 11 * 2 * 2 * 100 * 2
    assert (found.activations, found.logits) == (0, 0)


def test_liquid_in_full_by_hand() -> None:
    found = estimate(**LIQUID)
    assert found.weights == 17_200_000_000
    assert found.adapters == 16 * 28 * (8 * 3072 + 3 * (3072 + 24_576)) * 24  # 1.2 GB
    assert found.cache == 8 * 2124 * 2 * 28 * 4096 * 2  # 7.8 GB, more than learning needs
    assert (found.activations, found.logits) == (0, 0)
    assert found.gigabytes == pytest.approx(1.08 * (17.2 + 1.16 + 7.8) + 0.75, abs=0.1)
    quantised = estimate(**LIQUID, bits=4)
    assert found.weights - quantised.weights == pytest.approx(8.6e9 * (16 - 4.127) / 8)


def test_with_grouped_queries_learning_needs_more() -> None:
    found = estimate(**{**LIQUID, "key_value_width": 1024})
    assert found.activations == 8 * 2124 * (28 * 3072 + 8 * 3072 + 3 * 24_576) * 2  # 6.3 GB
    assert memory.LOGITS_AT_ONCE < 8 * 1024 * 8192
    assert found.logits == 64_000_000 * 3 * 4  # one block, whatever the step's size
    assert found.cache == 0


def test_it_needs_no_torch() -> None:
    code = "import sys, swirl.models.memory; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"
