"""A small text model for a trial, made on the spot from a world's states alone.

The shipped text models know the words of Household, or none: `tiny-copier` has learned on random tokens to copy, to
change and to compare (`swirl.recipes.tiny_copier`). A tokenizer of the world's own words takes the places of its
ids, and the base then reads the world's own steps, with the action slot left empty. No action is seen but by the
tokenizer, which takes the labelled ones for their words.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import LlamaForCausalLM, set_seed

from swirl import paths
from swirl.models.loading import with_new_adapters
from swirl.models.tiny_language_model import build_tokenizer
from swirl.progress import ProgressCallback
from swirl.recipes.tiny_copier import VOCABULARY
from swirl.recipes.tiny_models import LORA_RANK, unfreeze_base
from swirl.states import LabelledTransition, State, Transition
from swirl.training.supervised import PromptCompletion, StepLossCallback, train_on_pairs

BATCH, STEPS, RATE = 16, 60, 1e-3


def make_base(
    folder: Path,
    transitions: Sequence[Transition],
    labels: Sequence[LabelledTransition],
    seed: int,
    progress: ProgressCallback,
    steps: int = STEPS,
) -> None:
    """Write a checkpoint whose base copies this world's states, its adapters new, into `folder`.

    Raises OSError when the folder cannot be written.
    """
    set_seed(seed)
    pairs = [(t.state.text, t.next_state.text) for t in (*transitions, *labels)]
    words = [text for pair in pairs for text in pair]
    tokenizer = build_tokenizer([*words, *(label.action for label in labels)], VOCABULARY)
    base = LlamaForCausalLM.from_pretrained(str(paths.assets() / "tiny-copier"), dtype=torch.float32)
    base.resize_token_embeddings(len(tokenizer), mean_resizing=False)  # where the world has fewer words
    world = with_new_adapters(base, tokenizer, folder.name, "base", LORA_RANK, share_weights=False)
    unfreeze_base(world)
    rows: list[PromptCompletion] = [
        (world.layout.forward_prompt(State(a), ""), world.state_completion(State(b))) for a, b in pairs
    ]
    told = StepLossCallback(lambda step, _: progress(step / steps, "reading the states"))
    how = {"steps": steps, "batch_size": BATCH, "learning_rate": RATE, "seed": seed}
    train_on_pairs(world.model, rows, tokenizer.pad_token_id, **how, callbacks=[told])
    world.save(folder, with_base=True)
