"""The published sizes of the models that presets name, and the memory of a run on them. Does not import torch."""

from __future__ import annotations

from dataclasses import dataclass, replace

from swirl.models.checkpoint_files import EMU3, JANUS_1B, JANUS_7B
from swirl.models.memory_estimate import MemoryEstimate, estimate_memory
from swirl.models.precision import weight_bits
from swirl.settings import DIRECTIONS, Direction, Settings

QUESTION_TOKENS = 64  # prompt tokens besides states and actions


@dataclass(frozen=True)
class ModelShape:
    """The sizes of a model: its language model and, for images, its codes and the parts that stay in 16 bits."""

    parameters: int
    """Parameters of the language model, including embeddings and head."""
    layers: int
    hidden: int
    feed_forward_width: int
    key_value_width: int
    text_vocabulary: int
    codebook_size: int
    frame_tokens: int
    """Token ids per frame in a sequence; 0 for a text model."""
    vision_parameters: int
    """Parameters of the parts that read and draw images; an image tokenizer counts twice, as it stays in 32 bits."""


LIQUID_7B = ModelShape(8_560_000_000, 28, 3072, 24_576, 4096, 256_000, 8192, 1024, 140_000_000)
JANUS_PRO_1B = ModelShape(1_650_000_000, 24, 2048, 5632, 2048, 102_400, 16_384, 576, 510_000_000)
JANUS_PRO_7B = ModelShape(6_910_000_000, 30, 4096, 11_008, 4096, 102_400, 16_384, 576, 580_000_000)
EMU3_8B = ModelShape(8_490_000_000, 32, 4096, 14_336, 1024, 151_854, 32_768, 4160, 540_000_000)


PUBLISHED_SHAPES = {
    JANUS_1B: JANUS_PRO_1B,
    JANUS_7B: JANUS_PRO_7B,
    EMU3: EMU3_8B,
    "Qwen/Qwen2.5-0.5B-Instruct": ModelShape(494_000_000, 24, 896, 4864, 128, 151_936, 0, 0, 0),
    "Qwen/Qwen2.5-3B-Instruct": ModelShape(3_090_000_000, 36, 2048, 11_008, 256, 151_936, 0, 0, 0),
}
"""Sizes by model id, known before a model is downloaded."""


def estimate_run_memory(
    shape: ModelShape,
    settings: Settings,
    device: str = "cuda",
    longest_state: int = 0,
    device_memory: int | None = None,
) -> tuple[Direction, MemoryEstimate]:
    """The direction whose phases need most memory, and how much; arguments as in `estimate_phase_memory`."""
    estimates = {
        way: estimate_phase_memory(shape, settings, way, device, longest_state, device_memory) for way in DIRECTIONS
    }
    return max(estimates.items(), key=lambda item: item[1].total)


def estimate_phase_memory(
    shape: ModelShape,
    settings: Settings,
    direction: Direction,
    device: str = "cuda",
    longest_state: int = 0,
    device_memory: int | None = None,
) -> MemoryEstimate:
    """The memory that the phases of one direction need on a device.

    `longest_state` is the number of tokens of the longest text state; frames have the length that `shape` gives.
    Completions count as long as the settings let them become.
    """
    phase, gpu = settings.for_phase(direction), device.startswith("cuda")
    bits = weight_bits(phase.precision, device, shape.parameters)
    state = shape.frame_tokens or longest_state
    prompt = (state + phase.max_action_tokens if direction == "forward" else 2 * state) + QUESTION_TOKENS
    completion = (shape.frame_tokens or phase.max_state_tokens) if direction == "forward" else phase.max_action_tokens
    estimate = estimate_memory(
        parameters=shape.parameters,
        layers=shape.layers,
        hidden=shape.hidden,
        vocabulary=shape.codebook_size if shape.codebook_size and direction == "forward" else shape.text_vocabulary,
        prompts=phase.batch_size,
        group_size=phase.group_size,
        prompt_tokens=min(prompt, phase.max_prompt_tokens),
        completion_tokens=completion,
        micro_batches=phase.accumulation,
        bits=bits,
        key_value_width=shape.key_value_width,
        feed_forward_width=shape.feed_forward_width,
        lora_rank=phase.lora_rank,
        vision_parameters=shape.vision_parameters,
        device=device,
        device_memory=device_memory if gpu else None,
    )
    if gpu or bits == 16:
        return estimate
    # In float32, activations and cache take four bytes per number instead of two.
    return replace(estimate, activations=2 * estimate.activations, cache=2 * estimate.cache)
