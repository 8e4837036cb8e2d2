"""Counts before a run starts which transitions and labels are too long for it, with the tokenizer of its model.

The counts are those that the run itself will make, on a sample of them. Imports no torch, loads no weights
and downloads nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from swirl.codecs.state_codecs import TextCodec
from swirl.library_imports import import_transformers
from swirl.models.prompts import build_layout
from swirl.settings import Settings
from swirl.sources.labels.reading import read_labels, require_kind
from swirl.states import LabelledTransition, State
from swirl.training.lengths import LeftOut, TransitionLengths, find_left_out, measure_labels, measure_lengths
from swirl.training.memory_check import find_base_model, local_file
from swirl.training.requirements import is_warmed_up

Row = TypeVar("Row")

SAMPLED_TRANSITIONS = 400


def tokenizer_folder(home: Path, settings: Settings) -> Path | None:
    """The folder of the tokenizer with which a run's transitions can be counted before it starts.

    None for pictures, and if the tokenizer's file is not on this machine: then the run itself counts.
    """
    from swirl.sources.collections.catalog import get_collection

    file = local_file(find_base_model(home, settings.model), "tokenizer.json")
    return file.parent if file is not None and get_collection(home, settings.data).kind == "text" else None


def check_lengths(home: Path, settings: Settings, tokenizer: Path) -> LeftOut | None:
    """What a run with these settings would leave out of a sample of its transitions; None if nothing.

    `tokenizer` is the folder that `tokenizer_folder` gave.
    """
    from swirl.sources.collections.catalog import get_collection
    from swirl.sources.collections.stored_collection import fingerprint

    collection = get_collection(home, settings.data)
    stamp = fingerprint(collection.path) if collection.path.is_dir() else ""
    lengths = _sample_lengths(home, settings.data, tokenizer, settings.max_action_tokens, stamp)
    return None if lengths is None else find_left_out(lengths, settings)


def check_label_lengths(home: Path, settings: Settings, tokenizer: Path) -> LeftOut | None:
    """What a run with these settings would leave out of a sample of its labels; None if nothing, or if it uses none.

    `tokenizer` is the folder that `tokenizer_folder` gave. Raises SwirlError as `sample_labels` does.
    """
    if not (is_warmed_up(settings) or settings.training_method.trains_on_labels):
        return None
    labels = sample_labels(home, settings)
    if not labels:
        return None
    return find_left_out(measure_labels(_read_tokenizer(tokenizer), labels, settings), settings)


def sample_labels(home: Path, settings: Settings) -> Sequence[LabelledTransition]:
    """A sample of the labels that the settings name; empty if they name none.

    Raises SwirlError if the file cannot be read, has no usable label, or its states are of another kind than those of
    the collection.
    """
    from swirl.sources.collections.catalog import get_collection

    if settings.labels is None:
        return ()
    file = Path(settings.labels).expanduser()
    labels = _read_sample_of_labels(file, file.stat().st_mtime_ns if file.is_file() else 0)
    require_kind(labels, get_collection(home, settings.data).kind, settings.labels, settings.data)
    return labels


class TokenizerOnly:
    """The part of a text model that lengths depend on: its tokenizer and its prompts."""

    def __init__(self, folder: Path) -> None:
        import_transformers()
        from transformers import PreTrainedTokenizerFast  # unlike AutoTokenizer, it imports no torch

        self.codec = TextCodec(PreTrainedTokenizerFast.from_pretrained(str(folder), local_files_only=True))
        self.layout = build_layout(self.codec)

    def completion(self, text: str) -> list[int]:
        """The token ids of an action as an answer, with what ends it."""
        return [*self.codec.encode(text), self.layout.end_id]

    def state_completion(self, state: State) -> list[int]:
        """The token ids of a state as an answer, with what ends it."""
        return [*self.codec.encode_state(state), self.layout.end_id]


@lru_cache(maxsize=8)
def _read_tokenizer(folder: Path) -> TokenizerOnly:
    return TokenizerOnly(folder)


@lru_cache(maxsize=32)
def _sample_lengths(
    home: Path, data: str, tokenizer: Path, max_action_tokens: int, stamp: str
) -> TransitionLengths | None:
    """The lengths of a sample of the training transitions, None if there are none; `stamp` changes with the data."""
    from swirl.sources.collections.catalog import load_sequences
    from swirl.sources.collections.split import split_of

    sequences = [s for s in load_sequences(home, data) if split_of(s.id) == "train"]
    transitions = [transition for sequence in sequences for transition in sequence.transitions()]
    sampled = _sample(transitions)
    settings = Settings(max_action_tokens=max_action_tokens)
    return measure_lengths(_read_tokenizer(tokenizer), sampled, settings) if sampled else None


@lru_cache(maxsize=8)
def _read_sample_of_labels(file: Path, stamp: int) -> Sequence[LabelledTransition]:
    """A sample of the labels of a file; `stamp` changes with it."""
    labels, _ = read_labels(file)
    return _sample(labels)


def _sample(rows: Sequence[Row]) -> Sequence[Row]:
    return rows[:: max(1, len(rows) // SAMPLED_TRANSITIONS)]
