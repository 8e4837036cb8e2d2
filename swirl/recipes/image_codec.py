"""Trains an image codec on the training frames of an image collection and measures it on the held-out frames."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from swirl import pictures
from swirl.codecs.vq import VQImageTokenizer
from swirl.codecs.vq_training import CodecShape, train_codec
from swirl.errors import SwirlError
from swirl.evaluation.codec_metrics import mean_reconstruction_quality
from swirl.paths import replace_folder
from swirl.progress import ProgressCallback
from swirl.sources.collections.catalog import get_collection, load_sequences
from swirl.sources.collections.split import split_of
from swirl.states import State


def train_on_collection(
    home: Path,
    name: str,
    shape: CodecShape,
    out: Path,
    *,
    seed: int = 0,
    progress: ProgressCallback | None = None,
    **options: Any,
) -> VQImageTokenizer:
    """Train a codec on a collection's training frames, measure it on the held-out ones and write the folder `out`.

    Where no sequence is held out, it is measured on the training frames, and `quality` says so.

    `options` go to `train_codec`. Raises SwirlError for a collection without pictures, or if `out` is not empty.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise SwirlError(f"{out} is not empty; name a new folder.")
    if get_collection(home, name).kind != "image":
        raise SwirlError(f"The collection {name!r} contains texts; choose a collection of pictures.")
    seen: list[State] = []
    held_out: list[State] = []
    for sequence in load_sequences(home, name):
        (seen if split_of(sequence.id) == "train" else held_out).extend(sequence.states)
    if not seen:
        raise SwirlError(f"The collection {name!r} has no training frames; import more sequences.")
    frames = [pictures.pixels(state.picture, (shape.size, shape.size)) for state in seen]
    codec = train_codec(frames, shape, seed=seed, progress=progress, **options)
    codec.quality = {
        "data": name,
        "held_out": bool(held_out),
        **mean_reconstruction_quality(codec, held_out or seen),
    }
    with replace_folder(out) as temporary:
        codec.save(temporary)
        if out.exists():
            out.rmdir()  # fails if something was written there meanwhile, which must not be deleted
    return codec
