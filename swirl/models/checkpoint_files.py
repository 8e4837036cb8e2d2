"""What a checkpoint is on disk: its files and its manifest. Nothing here needs torch.

A checkpoint is a folder with `swirl.json` (`{"format": 1, "base": ..., "shared": bool, "kind": "text" or "image"}`)
and the adapters `fwm/` and `idm/` as ordinary peft folders (safetensors). `base` is "base" for a model in the folder
(a model of pictures has its image codec in `base/codec/`), else what the base model was loaded from: "asset:NAME" for a
shipped one, a folder, or a model id on the Hub.

A plain model can be named too: a causal language model, one that reads and draws pictures (Janus, Emu3, or a causal
language model with an image codec in its folder `codec/`), or a diffusion editor (`model_index.json`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from swirl.errors import SwirlError

MANIFEST = "swirl.json"
ADAPTERS = ("fwm", "idm")
PIPELINE_INDEX_FILE = "model_index.json"
UNIFIED_MODEL_TYPES = ("emu3", "janus")
"""Kinds of model, as their config.json says, that have their image codec within."""
JANUS_1B, JANUS_7B, EMU3 = "deepseek-community/Janus-Pro-1B", "deepseek-community/Janus-Pro-7B", "BAAI/Emu3-Gen-hf"


def read_manifest(folder: Path) -> dict[str, Any]:
    """The checked `swirl.json` of a checkpoint folder."""
    file = folder / MANIFEST
    try:
        manifest = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SwirlError(f"{file} cannot be read as JSON ({error}); take another checkpoint.") from error
    if not isinstance(manifest, dict) or manifest.get("format") != 1 or not isinstance(manifest.get("base"), str):
        raise SwirlError(f"{file} is not a checkpoint of this version (format 1 with a base); take another checkpoint.")
    for adapter in ADAPTERS:
        weights = folder / adapter / "adapter_model.safetensors"
        if not weights.is_file():
            raise SwirlError(f"{folder} has no adapter {adapter!r}: {weights} is missing; take another checkpoint.")
    return manifest


def manifest_kind(manifest: Path) -> str:
    """What a `swirl.json` by itself says of the states; "text" where it says nothing."""
    try:
        said = json.loads(manifest.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "text"  # loading says what is wrong
    return "image" if isinstance(said, dict) and said.get("kind") == "image" else "text"


def model_type(config: Path) -> str:
    """What a model's config.json says it is; nothing where it cannot be read, for loading says what is wrong."""
    try:
        said = json.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    return str(said.get("model_type", "")) if isinstance(said, dict) else ""
