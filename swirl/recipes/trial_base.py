"""Builds a small text model for a trial from the states of a world alone.

The shipped text models know only the words of Household, or none: `tiny-copier` has learned on random tokens to copy,
change and compare (`swirl.recipes.tiny_copier`). Its ids get a tokenizer trained on the world's words, and the base
then trains on the world's transitions with an empty action slot. Actions are used only to train the tokenizer, which
takes the words of the labelled ones.
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
from swirl.recipes.tiny_recipes import LORA_RANK
from swirl.recipes.tiny_stages import unfreeze_base
from swirl.states import LabelledTransition, State, Transition
from swirl.training.supervised import PromptCompletion, StepLossCallback, train_on_pairs

BATCH, STEPS, LEARNING_RATE = 16, 60, 1e-3


def make_base(
    folder: Path,
    transitions: Sequence[Transition],
    labels: Sequence[LabelledTransition],
    seed: int,
    progress: ProgressCallback,
    steps: int = STEPS,
) -> None:
    """Write to `folder` a checkpoint with new adapters, whose base has learned to copy the states of this world.

    Raises OSError if the folder cannot be written.
    """
    set_seed(seed)
    pairs = [(t.state.text, t.next_state.text) for t in (*transitions, *labels)]
    texts = [text for pair in pairs for text in pair]
    tokenizer = build_tokenizer([*texts, *(label.action for label in labels)], VOCABULARY)
    base = LlamaForCausalLM.from_pretrained(str(paths.assets() / "tiny-copier"), dtype=torch.float32)
    base.resize_token_embeddings(len(tokenizer), mean_resizing=False)  # the world may have fewer words
    world = with_new_adapters(base, tokenizer, folder.name, "base", LORA_RANK, share_weights=False)
    unfreeze_base(world)
    rows: list[PromptCompletion] = [
        (world.layout.forward_prompt(State(a), ""), world.state_completion(State(b))) for a, b in pairs
    ]
    report_progress = StepLossCallback(lambda step, _: progress(step / steps, "learning the states"))
    options = {"steps": steps, "batch_size": BATCH, "learning_rate": LEARNING_RATE, "seed": seed}
    train_on_pairs(world.model, rows, tokenizer.pad_token_id, **options, callbacks=[report_progress])
    world.save(folder, with_base=True)
