"""Embed pictures and texts with CLIP (Radford et al. 2021), loaded from the folder that SWIRL_CLIP names."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from swirl import pictures
from swirl.errors import SwirlError
from swirl.pictures import Pixels
from swirl.states import Picture

if TYPE_CHECKING:
    import torch

CLIP_VARIABLE = "SWIRL_CLIP"
CLIP_MISSING = (
    "The CLIP figures are left out because no CLIP weights are available: put a copy of a CLIP model, such as "
    f"openai/clip-vit-base-patch32 from the Hugging Face Hub, in a folder and set {CLIP_VARIABLE} to that folder."
)
BATCH_SIZE = 16


class Clip:
    """A CLIP model that embeds pictures, and texts if its folder has a tokenizer, as unit vectors.

    Raises SwirlError if the folder holds no CLIP model.
    """

    def __init__(self, folder: str) -> None:
        from transformers import AutoTokenizer, CLIPModel
        from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

        try:
            self.model = CLIPModel.from_pretrained(folder, local_files_only=True).eval()
            self.processor = CLIPImageProcessorPil.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError) as error:
            raise SwirlError(
                f"{CLIP_VARIABLE} names {folder}, which holds no CLIP model; name a folder that does, or "
                f"unset {CLIP_VARIABLE}."
            ) from error
        # Without these files transformers would make up a tokenizer that knows no words.
        has_tokenizer = any((Path(folder) / name).is_file() for name in ("tokenizer.json", "vocab.json"))
        self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True) if has_tokenizer else None

    def embed_pictures(self, shown: Sequence[Picture]) -> np.ndarray:
        """The embeddings (N, D) of pictures, each of length 1."""
        return self._embed_frames(pictures.pixels(picture) for picture in shown)

    def frame_similarity(self, a: Pixels, b: Pixels) -> float:
        """The cosine of the embeddings of two frames, −1 to 1."""
        first, second = self._embed_frames(iter((a, b)))
        return float(first @ second)

    def _embed_frames(self, frames: Iterator[Pixels]) -> np.ndarray:
        """Frames are taken from the iterator in batches, so that only one batch is decoded at a time."""
        batches = []
        while batch := list(islice(frames, BATCH_SIZE)):
            inputs = self.processor(images=batch, input_data_format="channels_last", return_tensors="pt")
            batches.append(self._features("get_image_features", **inputs))
        return np.concatenate(batches)

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray | None:
        """The embeddings (N, D) of texts, each of length 1; None without a tokenizer. Long texts are truncated."""
        if self.tokenizer is None:
            return None
        longest = self.model.config.text_config.max_position_embeddings
        inputs = self.tokenizer(list(texts), padding=True, truncation=True, max_length=longest, return_tensors="pt")
        return self._features(
            "get_text_features", input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"]
        )

    def _features(self, method: str, **inputs: torch.Tensor) -> np.ndarray:
        import torch

        with torch.inference_mode():
            vectors = getattr(self.model, method)(**inputs).pooler_output.float().numpy()
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@cache
def load_clip(folder: str) -> Clip:
    """The CLIP model in a folder, loaded once. Raises SwirlError if it holds none."""
    return Clip(folder)


def available_clip() -> Clip | None:
    """The CLIP model that SWIRL_CLIP names, or None if it is not set. Raises SwirlError if the folder holds none."""
    folder = os.environ.get(CLIP_VARIABLE)
    return load_clip(folder) if folder else None


def cosines(first: np.ndarray, second: np.ndarray) -> list[float]:
    """The cosine of each pair of rows; 0 if one of them is the zero vector, which has no direction."""
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    products = (first * second).sum(axis=1)
    return [float(p / n) if n > 1e-9 else 0.0 for p, n in zip(products, lengths, strict=True)]
