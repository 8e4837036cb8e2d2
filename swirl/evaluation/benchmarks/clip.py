"""CLIP (Radford et al. 2021) embeddings of pictures and words, from the folder that SWIRL_CLIP names."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from swirl import pictures
from swirl.errors import SwirlError
from swirl.evaluation.perceptual_metrics import CLIP_VARIABLE
from swirl.states import Picture

if TYPE_CHECKING:
    import torch

CLIP_MISSING = (
    "The CLIP figures are left out, for no CLIP weights are at hand: put a copy of one, such as "
    f"openai/clip-vit-base-patch32 of the Hugging Face Hub, in a folder and name the folder in {CLIP_VARIABLE}."
)
BATCH_SIZE = 16


class Clip:
    """Unit vectors of pictures, and of words where the folder has a tokenizer."""

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
        # Without the files transformers would make up a tokenizer that knows no words.
        words = any((Path(folder) / name).is_file() for name in ("tokenizer.json", "vocab.json"))
        self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True) if words else None

    def embed_pictures(self, shown: Sequence[Picture]) -> np.ndarray:
        """(N, D), each row of length 1."""
        found = []
        for start in range(0, len(shown), BATCH_SIZE):
            frames = [pictures.pixels(picture) for picture in shown[start : start + BATCH_SIZE]]
            inputs = self.processor(images=frames, input_data_format="channels_last", return_tensors="pt")
            found.append(self._features("get_image_features", **inputs))
        return np.concatenate(found)

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray | None:
        """(N, D), each row of length 1; None where the folder has no tokenizer. Texts too long for CLIP are cut."""
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
def _loaded(folder: str) -> Clip:
    return Clip(folder)


def available_clip() -> Clip | None:
    """The CLIP that SWIRL_CLIP names; None where it names none. Raises SwirlError if it names something else."""
    folder = os.environ.get(CLIP_VARIABLE)
    return _loaded(folder) if folder else None


def cosines(first: np.ndarray, second: np.ndarray) -> list[float]:
    """The cosine of each pair of rows; 0 where one of them has no length, for it points nowhere."""
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    products = (first * second).sum(axis=1)
    return [float(p / n) if n > 1e-9 else 0.0 for p, n in zip(products, lengths, strict=True)]
