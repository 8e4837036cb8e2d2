"""Checks whether a model's tokenizer gives the states of a collection back unchanged, and says so if it does not.

Some tokenizers normalise texts: they drop capital letters, fold white space, or decompose characters. Then a model
neither reads nor writes what such a state says. Before a run starts, the check needs only the tokenizer's file; it
imports no torch and downloads nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from swirl.codecs.exact_text import FastTextTokenizer, TextLoss, TextTokenizer, measure_loss, spread_sample
from swirl.models.checkpoints import short_name
from swirl.settings import Settings
from swirl.training.memory_check import find_base_model, local_file

SAMPLED_STATES = 400


def check_states(home: Path, settings: Settings) -> TextLoss | None:
    """What the tokenizer of a run's model changes in a sample of its states.

    None if nothing, for pictures, and if the tokenizer's file is not on this machine: then the run itself checks.
    """
    from swirl.sources.collections.catalog import get_collection
    from swirl.sources.collections.stored_collection import fingerprint

    collection = get_collection(home, settings.data)
    tokenizer = local_file(find_base_model(home, settings.model), "tokenizer.json")
    if collection.kind != "text" or tokenizer is None:
        return None
    stamp = fingerprint(collection.path) if collection.path.is_dir() else ""
    return _check_collection(home, settings.data, tokenizer, stamp)


@lru_cache(maxsize=32)
def _check_collection(home: Path, data: str, tokenizer: Path, stamp: str) -> TextLoss | None:
    """The loss in a collection; `stamp` changes with its files."""
    from tokenizers import Tokenizer

    from swirl.sources.collections.catalog import load_sequences

    template = tokenizer.with_name("chat_template.jinja")
    words = template.read_text(encoding="utf-8") if template.is_file() else ""
    states = (state.text for sequence in load_sequences(home, data) for state in sequence.states)
    return sample_loss(FastTextTokenizer(Tokenizer.from_file(str(tokenizer)), words), states)


def sample_loss(tokenizer: TextTokenizer, texts: Iterable[str]) -> TextLoss | None:
    """What a tokenizer changes in at most SAMPLED_STATES texts spread over the given ones; None if nothing."""
    return measure_loss(tokenizer, spread_sample(texts, SAMPLED_STATES))


def describe_loss(model: str, loss: TextLoss) -> str:
    """The share of states that the model's tokenizer changes, with an example, in one sentence."""
    return (
        f"The tokenizer of {short_name(model)} cannot give {max(loss.share, 0.01):.0%} of the states back: "
        f"{loss.before!r} comes back as {loss.after!r}, so the model reads and writes them changed; choose another "
        "model if that matters."
    )
