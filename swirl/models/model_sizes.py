"""The published sizes of the models that presets name, for the estimate of memory. Nothing here needs torch."""

from __future__ import annotations

from dataclasses import dataclass

from swirl.models.memory_estimate import MemoryEstimate, estimate_memory
from swirl.settings import Settings

QUESTION_TOKENS = 64  # tokens of a prompt that are no picture


@dataclass(frozen=True)
class ModelShape:
    """A unified model: its language model, what stays in 16 bits beside it, and the ids of a frame."""

    parameters: int
    """Of the language model, embeddings and head included."""
    layers: int
    hidden: int
    inner: int
    key_value_width: int
    words: int
    codebook_size: int
    frame_tokens: int
    """Ids of a frame in a sequence."""
    vision_parameters: int
    """Of what reads and draws pictures; an image tokenizer counts twice, for it is kept in 32 bits."""


LIQUID_7B = ModelShape(8_560_000_000, 28, 3072, 24_576, 4096, 256_000, 8192, 1024, 140_000_000)
JANUS_PRO_1B = ModelShape(1_650_000_000, 24, 2048, 5632, 2048, 102_400, 16_384, 576, 510_000_000)
JANUS_PRO_7B = ModelShape(6_910_000_000, 30, 4096, 11_008, 4096, 102_400, 16_384, 576, 580_000_000)
EMU3_8B = ModelShape(8_490_000_000, 32, 4096, 14_336, 1024, 151_854, 32_768, 4160, 540_000_000)


def estimate_run_memory(shape: ModelShape, settings: Settings) -> MemoryEstimate:
    """What a run of these settings needs on one GPU, in the phase that needs more."""
    both = []
    for direction, pictures in (("forward", 1), ("inverse", 2)):
        phase = settings.for_phase(direction)
        both.append(
            estimate_memory(
                parameters=shape.parameters,
                layers=shape.layers,
                hidden=shape.hidden,
                vocabulary=shape.codebook_size if direction == "forward" else shape.words,
                prompts=phase.batch_size,
                group_size=phase.group_size,
                prompt_tokens=pictures * shape.frame_tokens + QUESTION_TOKENS,
                completion_tokens=shape.frame_tokens if direction == "forward" else phase.max_action_tokens,
                micro_batches=phase.accumulation,
                bits={"4bit": 4, "float32": 32}.get(phase.precision, 16),
                key_value_width=shape.key_value_width,
                inner=shape.inner,
                lora_rank=phase.lora_rank,
                outside=shape.vision_parameters,
            )
        )
    return max(both, key=lambda memory: memory.total)
