"""Perceptual measures of frames, available if their weights are on this machine; nothing is ever downloaded.

- clip_similarity: set the environment variable SWIRL_CLIP to a folder that transformers' `CLIPModel` and its image
  processor load, such as a copy of `openai/clip-vit-base-patch32`.
- lpips: install the package `lpips`; its AlexNet weights must be where torchvision keeps weights (`checkpoints/` in
  `torch.hub.get_dir()`, which TORCH_HOME moves).

Without them the report leaves these measures out.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np

from swirl.evaluation.clip import CLIP_VARIABLE, load_clip
from swirl.pictures import Pixels

SMALLEST = 64
"""The shorter side, in pixels, that AlexNet needs; smaller frames are enlarged by a whole factor."""

Compare = Callable[[Pixels, Pixels], float]


def perceptual_measures() -> dict[str, Compare]:
    """The measures whose weights are available, by name; the weights are loaded when a measure is first used.

    That first use raises SwirlError if SWIRL_CLIP names a folder without a CLIP model.
    """
    measures: dict[str, Compare] = {}
    if has_lpips():
        measures["lpips"] = lambda a, b: _lpips()(a, b)
    if folder := os.environ.get(CLIP_VARIABLE):
        measures["clip_similarity"] = lambda a, b: load_clip(folder).frame_similarity(a, b)
    return measures


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
        """LPIPS (Zhang et al. 2018) with AlexNet: 0 for equal frames, higher the more they differ to the eye."""
        with torch.inference_mode():
            return float(network(tensor(a), tensor(b)))

    return lpips
