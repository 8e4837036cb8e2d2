"""Makes the base model that most tests train: untrained, of a few thousand weights, with a tokenizer of Household."""

from __future__ import annotations

from pathlib import Path


def make_tiny_base(folder: Path) -> Path:
    """Write the model and its tokenizer to the folder; returns it."""
    import torch

    from swirl.models.tiny_language_model import build_model, build_tokenizer
    from swirl.worlds.household import Household

    episodes = [Household().episode(seed, 8) for seed in range(60)]
    texts = [text for episode in episodes for text in (*(state.text for state in episode.states), *episode.actions)]
    tokenizer = build_tokenizer(texts, 400)
    torch.manual_seed(0)
    build_model(tokenizer, width=32, layers=2, heads=2, inner=48).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
