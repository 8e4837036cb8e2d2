"""A model in the shape of Liquid: a Gemma with random weights whose vocabulary ends with 8192 image codes.

The small ones have 14.5 M parameters, those for GPUs half a billion, three and seven billion. The image codes are 13 %
of the vocabulary, so the head is computed for 13 % of it where only codes may be drawn. A random VQModel makes frames
into 8 × 8, 16 × 16 or 32 × 32 codes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from diffusers import VQModel
from transformers import AutoModelForCausalLM, GemmaConfig, GemmaTokenizer
from transformers.utils.logging import disable_progress_bar

from swirl import pictures
from swirl.codecs import CODEC_FOLDER
from swirl.codecs.vq import VQImageTokenizer
from swirl.runs.step_benchmark.workload import LiquidShape
from swirl.states import State, Transition

CODES = 8192
WORDS = 54_272
PIXELS_PER_CODE = 8
SPECIAL = ("<boi>", "<eoi>", "<start_of_turn>", "<end_of_turn>")


def liquid_config(shape: LiquidShape, **token_ids: int | None) -> GemmaConfig:
    """The configuration of a model of this shape."""
    return GemmaConfig(
        vocab_size=WORDS + CODES,
        hidden_size=shape.hidden,
        intermediate_size=shape.inner,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        head_dim=shape.head_size,
        **token_ids,
    )


def write_liquid_shape(folder: Path, shape: LiquidShape) -> None:
    """Write the model, its tokenizer and its codec to a new folder, always with the same weights."""
    disable_progress_bar()
    torch.manual_seed(0)
    tokenizer = build_tokenizer()
    config = liquid_config(
        shape,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    AutoModelForCausalLM.from_config(config, dtype=getattr(torch, shape.precision)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    size = shape.codes_per_side * PIXELS_PER_CODE
    vq = VQModel(
        block_out_channels=(32,) * 4,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        latent_channels=8,
        sample_size=size,
        num_vq_embeddings=CODES,
        vq_embed_dim=8,
        lookup_from_codebook=True,
    )
    VQImageTokenizer(vq, size=size, tile=size).save(folder / CODEC_FOLDER)


def build_tokenizer() -> GemmaTokenizer:
    """A tokenizer of WORDS ids. Most are single characters, so that a sampled action keeps its length as a text."""
    pieces = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", *SPECIAL, "\n", "▁"]
    pieces += [*(f"<0x{byte:02X}>" for byte in range(256)), *(chr(code) for code in range(33, 127))]
    ideographs = [*range(0x4E00, 0x9FA6), *range(0x20000, 0x2A6D7)]
    pieces += [chr(code) for code in ideographs[: WORDS - len(pieces)]]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    tokenizer = GemmaTokenizer(vocab=vocabulary, merges=[], add_bos_token=True)
    tokenizer.add_special_tokens({"additional_special_tokens": list(SPECIAL)})
    return tokenizer


def random_transitions(codes_per_side: int, count: int) -> list[Transition]:
    """Pairs of frames of random colours, always the same ones."""
    generator, size = np.random.default_rng(0), codes_per_side * PIXELS_PER_CODE
    frames = [
        State(picture=pictures.from_pixels(generator.integers(0, 256, (size, size, 3), dtype=np.uint8)))
        for _ in range(2 * count)
    ]
    return [Transition("random", i, frames[2 * i], frames[2 * i + 1]) for i in range(count)]
