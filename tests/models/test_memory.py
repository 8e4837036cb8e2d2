"""The estimate of GPU memory matches sums done by hand."""

from __future__ import annotations

import math
import re
import subprocess
import sys

import pytest

from swirl.models import memory_estimate, model_sizes
from swirl.models.memory_estimate import estimate_memory
from swirl.presets import PRESETS

# Liquid's shape: Gemma 7B with 8192 codes, 512 x 512 frames of 1024 tokens.
LIQUID = {
    "parameters": 8_600_000_000,
    "layers": 28,
    "hidden": 3072,
    "vocabulary": 8192,
    "key_value_width": 4096,
    "feed_forward_width": 24_576,
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
    found = estimate_memory(**SMALL)
    assert found.weights == 2000
    assert found.adapters == 2 * 2 * (8 * 12 + 3 * (12 + 32)) * 6 * 4  # six copies of four bytes
    tokens = 3 * 5 + 3 * 4 * 6  # each prompt once
    assert found.activations == tokens * (2 * 12 + 8 * 12 + 3 * 32) * 2
    assert found.logits == 12 * 6 * 7 * 3 * 4
    assert found.cache == 0
    used = found.weights + found.adapters + found.activations + found.logits
    assert found.overhead == round(0.08 * used) + 750_000_000
    assert found.total == used + found.overhead
    assert found.gigabytes == found.total / 1e9


def test_what_each_number_changes() -> None:
    base = estimate_memory(**SMALL)
    assert estimate_memory(**SMALL, bits=32).weights == 4000
    assert estimate_memory(**SMALL, bits=8).weights == 1000
    assert estimate_memory(**SMALL, bits=4).weights == 516  # 4.127 bits each
    assert estimate_memory(**SMALL, vision_parameters=50).weights == base.weights + 100
    assert estimate_memory(**SMALL, lora_parameters=1).adapters == 24
    on_cpu = estimate_memory(**SMALL, device="cpu")
    assert on_cpu.activations == 87 * 2 * (8 * 12 + 3 * 32) * 2
    assert on_cpu.weights == 2000 + 3 * 2 * 2 * (4 * 12 * 12 + 3 * 12 * 32)  # and three folded sets
    assert estimate_memory(**SMALL, feed_forward_width=12).activations == 87 * (2 * 12 + 11 * 12) * 2
    halves = estimate_memory(**SMALL, micro_batches=2)
    assert halves.activations == (2 * 5 + 6 * 6) * (2 * 12 + 8 * 12 + 3 * 32) * 2
    assert halves.logits == base.logits / 2
    assert halves.adapters == base.adapters
    with pytest.raises(ValueError, match="3 bits"):
        estimate_memory(**SMALL, bits=3)


def test_where_drawing_needs_more_than_learning_the_cache_counts() -> None:
    found = estimate_memory(**SMALL, micro_batches=12, key_value_width=100)
    assert found.cache == 12 * 11 * 2 * 2 * 100 * 2
    assert (found.activations, found.logits) == (0, 0)


def test_liquid_in_full_by_hand() -> None:
    found = estimate_memory(**LIQUID)
    assert found.weights == 17_200_000_000
    assert found.adapters == 16 * 28 * (8 * 3072 + 3 * (3072 + 24_576)) * 24  # 1.2 GB
    assert found.cache == 8 * 2124 * 2 * 28 * 4096 * 2  # 7.8 GB, more than learning needs
    assert (found.activations, found.logits) == (0, 0)
    assert found.gigabytes == pytest.approx(1.08 * (17.2 + 1.16 + 7.8) + 0.75, abs=0.1)
    quantised = estimate_memory(**LIQUID, bits=4)
    assert found.weights - quantised.weights == pytest.approx(8.6e9 * (16 - 4.127) / 8)


def test_no_more_is_drawn_at_once_than_there_is_room_for() -> None:
    many = estimate_memory(**{**LIQUID, "prompts": 32, "micro_batches": 32})
    assert many.cache == 8 * 2124 * 2 * 28 * 4096 * 2  # eight rows again, because a ninth would exceed 8 GB
    assert many.total == estimate_memory(**LIQUID).total
    one = estimate_memory(**{**LIQUID, "prompts": 1, "group_size": 2, "completion_tokens": 40_000, "micro_batches": 2})
    assert one.cache == 41_100 * 2 * 28 * 4096 * 2  # a single row is sampled, however long it is


UNIFIED = {
    "liquid-7b": model_sizes.LIQUID_7B,
    "janus-pro-1b": model_sizes.JANUS_PRO_1B,
    "janus-pro-7b": model_sizes.JANUS_PRO_7B,
    "emu3-8b": model_sizes.EMU3_8B,
}


@pytest.mark.parametrize("name", UNIFIED)
def test_a_presets_sentence_follows_from_the_estimate(name: str) -> None:
    preset, shape = PRESETS[name], UNIFIED[name]
    phases = {way: preset.settings.for_phase(way) for way in ("forward", "inverse")}
    by_hand = [
        estimate_memory(
            parameters=shape.parameters,
            layers=shape.layers,
            hidden=shape.hidden,
            vocabulary=vocabulary,
            prompts=32,
            group_size=group,
            prompt_tokens=prompt + 64,
            completion_tokens=answer,
            micro_batches=32,
            key_value_width=shape.key_value_width,
            feed_forward_width=shape.feed_forward_width,
            vision_parameters=shape.vision_parameters,
        ).gigabytes
        for vocabulary, group, prompt, answer in (
            (shape.codebook_size, 8, shape.frame_tokens + 128, shape.frame_tokens),
            (shape.text_vocabulary, 16, 2 * shape.frame_tokens, 128),
        )
    ]
    assert re.search(r"(\d+) GB", preset.needs)[1] == str(math.ceil(max(by_hand)))
    assert preset.settings.max_state_tokens >= shape.frame_tokens
    assert preset.settings.max_prompt_tokens >= 2 * shape.frame_tokens + 64 + 128
    values = {
        way: (p.group_size, p.beta, p.temperature, p.top_p, p.top_k, p.max_grad_norm) for way, p in phases.items()
    }
    assert values == {"forward": (8, 0.04, 0.75, 0.96, 4096, 1.0), "inverse": (16, 0.1, 0.7, 0.9, 50, 0.1)}
    assert (preset.settings.learning_rate, preset.settings.max_action_tokens) == (1e-6, 128)


def test_the_shapes_count_their_weights() -> None:
    for shape in UNIFIED.values():
        attention = 2 * shape.hidden * max(shape.hidden, shape.key_value_width if shape is model_sizes.LIQUID_7B else 0)
        attention += 2 * shape.hidden * shape.key_value_width
        layers = shape.layers * (attention + 3 * shape.hidden * shape.feed_forward_width)
        tables = 1 if shape is model_sizes.LIQUID_7B else 2  # Gemma ties its embeddings to its head
        # The vocabulary of Janus does not include its codes.
        vocabulary = shape.text_vocabulary + (
            0 if shape in (model_sizes.JANUS_PRO_1B, model_sizes.JANUS_PRO_7B) else shape.codebook_size
        )
        assert layers + tables * vocabulary * shape.hidden == pytest.approx(shape.parameters, rel=0.01)


def test_with_grouped_queries_learning_needs_more() -> None:
    found = estimate_memory(**{**LIQUID, "key_value_width": 1024})
    tokens = 1100 + 8 * 1024
    assert found.activations == tokens * (28 * 3072 + 8 * 3072 + 3 * 24_576) * 2  # 3.4 GB
    assert memory_estimate.LOGITS_AT_ONCE < 8 * 1024 * 8192
    assert found.logits == 8_000_000 * 3 * 4  # one block, whatever the size of the step
    assert found.cache == 0


def test_memory_hardly_grows_with_the_group() -> None:
    shape = {**LIQUID, "key_value_width": 1024}
    of_eight, of_sixty_four = (estimate_memory(**{**shape, "group_size": size}) for size in (8, 64))
    assert of_sixty_four.total < 1.2 * of_eight.total  # the cache grows up to its limit
    single = estimate_memory(**{**shape, "group_size": 64, "micro_batches": 64})
    assert single.total <= of_sixty_four.total
    small_gpu = estimate_memory(**shape, device_memory=24 * 10**9)
    assert small_gpu.cache <= 0.2 * 24 * 10**9


def test_it_needs_no_torch() -> None:
    code = "import sys, swirl.models.memory_estimate; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"
