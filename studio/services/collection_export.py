"""Export of a collection, and of the actions inferred in it, as files for download."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from studio.services.collection_cache import sequences
from studio.services.downloads import offer_file
from studio.services.inference import Models
from swirl.errors import SwirlError
from swirl.exports.latent_actions import write_latent_actions
from swirl.exports.state_sequences import export_sequences
from swirl.models.results import Inference

FORMATS = ("jsonl", "parquet")


def offer_states(home: Path, data: str, form: str) -> str:
    """The address of a collection as a file of the format `form`, "jsonl" or "parquet".

    Raises SwirlError if the collection is unknown or empty, and for another format.
    """
    if form not in FORMATS:
        raise SwirlError(f"A collection cannot be saved as {form!r}; choose one of {', '.join(FORMATS)}.")
    chain = sequences(home, data)
    return offer_file(lambda folder: export_sequences(chain, folder / f"{data}.{form}").files[0])


def cached_actions(home: Path, models: Models, checkpoint: str, data: str) -> list[Inference | None]:
    """What a checkpoint inferred for each transition of a collection, in order; None where it has not been asked yet.

    Raises SwirlError if the collection is unknown.
    """
    transitions = [transition for sequence in sequences(home, data) for transition in sequence.transitions()]
    return [models.cached_inference(checkpoint, item.state, item.next_state) for item in transitions]


def offer_actions(home: Path, data: str, inferred: Sequence[Inference]) -> str:
    """The address of the inferred actions of a collection's transitions, as Parquet like that of `swirl infer`.

    Raises SwirlError if the collection is unknown.
    """
    chain = sequences(home, data)

    def write(folder: Path) -> Path:
        file = folder / f"{data}-actions.parquet"
        write_latent_actions(file, chain, inferred)
        return file

    return offer_file(write)
