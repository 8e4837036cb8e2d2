"""Perceptual measures of frames, for those who have the weights: nothing is ever downloaded.

- clip_similarity: set the environment variable SWIRL_CLIP to a folder that transformers' `CLIPModel` and its image
  processor load, such as a copy of `openai/clip-vit-base-patch32`.
- lpips: install the package `lpips`; its AlexNet must lie where torchvision keeps weights (`checkpoints/` in
  `torch.hub.get_dir()`, which TORCH_HOME moves).

Without them the report does not have these measures.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np

from swirl.errors import SwirlError
from swirl.pictures import Pixels

CLIP_VARIABLE = "SWIRL_CLIP"
SMALLEST = 64
"""The shorter side, in pixels, that AlexNet needs; smaller frames are enlarged by a whole factor."""

Compare = Callable[[Pixels, Pixels], float]


def perceptual_measures() -> dict[str, Compare]:
    """The measures whose weights are here, by name; they are loaded when a measure is first used.

    Then SwirlError is raised if SWIRL_CLIP names a folder without a CLIP.
    """
    found: dict[str, Compare] = {}
    if has_lpips():
        found["lpips"] = lambda a, b: _lpips()(a, b)
    if folder := os.environ.get(CLIP_VARIABLE):
        found["clip_similarity"] = lambda a, b: _clip(folder)(a, b)
    return found


def has_lpips() -> bool:
    """Whether LPIPS can be computed without a download."""
    if importlib.util.find_spec("lpips") is None:
        return False
    import torch

    weights = importlib.import_module("torchvision.models").AlexNet_Weights.IMAGENET1K_V1
    return (Path(torch.hub.get_dir()) / "checkpoints" / Path(weights.url).name).is_file()


@cache
def _lpips() -> Compare:
    import torch

    network = importlib.import_module("lpips").LPIPS(net="alex", verbose=False).eval()

    def tensor(frame: Pixels) -> torch.Tensor:
        times = -(-SMALLEST // min(frame.shape[:2]))
        large = frame.repeat(times, axis=0).repeat(times, axis=1)
        return torch.from_numpy(large.astype(np.float32) / 127.5 - 1).permute(2, 0, 1)[None]

    def lpips(a: Pixels, b: Pixels) -> float:
        """LPIPS (Zhang et al. 2018), AlexNet: 0 for equal frames, higher the more they differ to the eye."""
        with torch.inference_mode():
            return float(network(tensor(a), tensor(b)))

    return lpips


@cache
def _clip(folder: str) -> Compare:
    import torch
    from transformers import CLIPModel
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    try:
        model = CLIPModel.from_pretrained(folder, local_files_only=True).eval()
        processor = CLIPImageProcessorPil.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        raise SwirlError(
            f"{CLIP_VARIABLE} names {folder}, which holds no CLIP model; name a folder that does, or unset "
            f"{CLIP_VARIABLE}."
        ) from error

    def embedding(frame: Pixels) -> torch.Tensor:
        inputs = processor(images=frame, input_data_format="channels_last", return_tensors="pt")
        return model.get_image_features(**inputs).pooler_output

    def clip_similarity(a: Pixels, b: Pixels) -> float:
        """The cosine of both frames' CLIP embeddings, -1 to 1."""
        with torch.inference_mode():
            return float(torch.nn.functional.cosine_similarity(embedding(a), embedding(b))[0])

    return clip_similarity
