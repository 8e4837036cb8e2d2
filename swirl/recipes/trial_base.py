"""Builds a small model for a trial from the states of a world alone.

The shipped models know only the words of Household and the pictures of Blocks, or none: `tiny-copier` has learned on
random tokens to copy, change and compare (`swirl.recipes.tiny_copier`). Its ids get a tokenizer trained on the world's
words and, for pictures, the codes of a codec trained on the world's frames; the base then trains on the world's
transitions with an empty action slot. Actions are used only to train the tokenizer, which takes the words of the
labelled ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import LlamaForCausalLM, set_seed

from swirl import paths, pictures
from swirl.codecs.state_codecs import ImageCodec
from swirl.codecs.vq import VQImageTokenizer
from swirl.codecs.vq_training import CodecShape, train_codec
from swirl.models.loading import with_new_adapters
from swirl.models.tiny_language_model import build_tokenizer
from swirl.progress import ProgressCallback
from swirl.recipes.tiny_copier import VOCABULARY
from swirl.recipes.tiny_recipes import LORA_RANK
from swirl.recipes.tiny_stages import unfreeze_base
from swirl.states import LabelledTransition, State, Transition
from swirl.training.supervised import PromptCompletion, StepLossCallback, train_on_pairs

BATCH, STEPS, LEARNING_RATE = 16, 60, 1e-3
CODES, MAX_FRAMES = 128, 2500
"""Of a codec: its codes, and the frames that it is trained on at most."""


def make_base(
    folder: Path,
    transitions: Sequence[Transition],
    labels: Sequence[LabelledTransition],
    seed: int,
    progress: ProgressCallback,
    *,
    images: VQImageTokenizer | None = None,
    steps: int = STEPS,
) -> None:
    """Write to `folder` a checkpoint with new adapters, whose base has learned to copy the states of this world.

    `images` is the codec of a world of pictures. Raises OSError if the folder cannot be written.
    """
    set_seed(seed)
    pairs = [(t.state, t.next_state) for t in (*transitions, *labels)]
    texts = [state.text for pair in pairs for state in pair if state.picture is None]
    codes = images.codebook_size if images else 0
    tokenizer = build_tokenizer([*texts, *(label.action for label in labels)], VOCABULARY - codes)
    base = LlamaForCausalLM.from_pretrained(str(paths.assets() / "tiny-copier"), dtype=torch.float32)
    # The world may have fewer words. Codes come last, where `swirl.models.loading.load_codec` looks for them.
    base.resize_token_embeddings(len(tokenizer) + codes, mean_resizing=False)
    codec = ImageCodec(tokenizer, images, len(tokenizer)) if images else None
    world = with_new_adapters(base, tokenizer, folder.name, "base", LORA_RANK, share_weights=False, codec=codec)
    world.codec.prepare([state for pair in pairs for state in pair])
    unfreeze_base(world)
    rows: list[PromptCompletion] = [(world.layout.forward_prompt(a, ""), world.state_completion(b)) for a, b in pairs]
    report_progress = StepLossCallback(lambda step, _: progress(step / steps, "learning the states"))
    options = {"steps": steps, "batch_size": BATCH, "learning_rate": LEARNING_RATE, "seed": seed}
    train_on_pairs(world.model, rows, tokenizer.pad_token_id, **options, callbacks=[report_progress])
    world.save(folder, with_base=True)


def make_codec(
    states: Sequence[State], tile: int, seed: int, progress: ProgressCallback, *, steps: tuple[int, int] = (800, 1000)
) -> VQImageTokenizer:
    """Train a codec on frames of 64 pixels per side, in which each cell of `tile` pixels per side has one code.

    `steps` as for `train_codec`.
    """
    shape = CodecShape(tile=tile, patch=tile // 4, codes=CODES)
    every = -(-len(states) // MAX_FRAMES)
    frames = [pictures.pixels(state.picture, (shape.size, shape.size)) for state in states[::every]]
    return train_codec(frames, shape, steps=steps, seed=seed, progress=progress)
