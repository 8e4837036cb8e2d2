"""The files and the manifest of a checkpoint on disk. Does not import torch.

A checkpoint is a folder with `swirl.json` (`{"format": 1, "base": ..., "shared": bool, "kind": "text" or "image"}`)
and the adapters `fwm/` and `idm/` as ordinary peft folders (safetensors). `base` is "base" for a base model in the
folder itself (an image model has its codec in `base/codec/`), else the source of the base model: "asset:NAME" for a
shipped one, a folder, a model id on the Hub, or a GGUF file: its path, or "package:NAME/FILE" for one in an installed
package, with its size `base_bytes` and its hash `base_sha256`, by which it is recognised wherever it has moved.
`max_action_tokens` and `max_state_tokens` are the longest answers that the model was trained to give; checkpoints of
earlier versions have none.

A plain model can be loaded in place of a checkpoint: a causal language model (a folder or a GGUF file), a unified
model that reads and draws images (Janus, Emu3, or a causal language model with an image codec in its folder
`codec/`), or a diffusion editor (`model_index.json`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from swirl.errors import SwirlError
from swirl.settings import MOST_TOKENS

MANIFEST = "swirl.json"
ADAPTERS = ("fwm", "idm")
TOKEN_LIMITS = ("max_action_tokens", "max_state_tokens")
PIPELINE_INDEX_FILE = "model_index.json"
UNIFIED_MODEL_TYPES = ("emu3", "janus")
"""Values of `model_type` in config.json for models that contain their own image codec."""
JANUS_1B, JANUS_7B, EMU3 = "deepseek-community/Janus-Pro-1B", "deepseek-community/Janus-Pro-7B", "BAAI/Emu3-Gen-hf"


def read_manifest(folder: Path) -> dict[str, Any]:
    """The checked `swirl.json` of a checkpoint folder. Raises SwirlError if it or an adapter is missing or unusable."""
    file = folder / MANIFEST
    try:
        manifest = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise SwirlError(f"{file} cannot be read as JSON ({error}); choose another checkpoint.") from error
    if not isinstance(manifest, dict) or manifest.get("format") != 1 or not isinstance(manifest.get("base"), str):
        raise SwirlError(
            f"{file} is not a checkpoint of this version (format 1 with a base); choose another checkpoint."
        )
    for name in TOKEN_LIMITS:
        limit = manifest.get(name, 1)
        if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MOST_TOKENS:
            raise SwirlError(
                f"{file} has {name}={limit!r}, which must be a whole number from 1 to {MOST_TOKENS}; correct it."
            )
    for adapter in ADAPTERS:
        weights = folder / adapter / "adapter_model.safetensors"
        if not weights.is_file():
            raise SwirlError(f"{folder} has no adapter {adapter!r}: {weights} is missing; choose another checkpoint.")
    return manifest


def has_files(folder: Path) -> bool:
    """Whether a checkpoint's files are there: they may have been deleted, or not imported with their run."""
    return (folder / MANIFEST).is_file()


def manifest_kind(manifest: Path) -> str:
    """The kind of states that a `swirl.json` names, "text" or "image"; "text" if it names none or cannot be read."""
    return "image" if read_json_object(manifest).get("kind") == "image" else "text"


def model_type(config: Path) -> str:
    """The `model_type` of a model's config.json; empty if it cannot be read."""
    return str(read_json_object(config).get("model_type", ""))


def read_json_object(file: Path | None) -> dict[str, Any]:
    """The JSON object in a file; empty if it cannot be read, because loading the model reports what is wrong."""
    try:
        content = json.loads(file.read_text(encoding="utf-8")) if file else {}
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
