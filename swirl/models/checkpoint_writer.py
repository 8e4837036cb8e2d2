"""Writes a checkpoint: weights as safetensors, peft's own files, and a manifest that names the base model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch

from swirl.codecs.state_codecs import ImageCodec
from swirl.models.adapter_model import AdaptedModel
from swirl.models.checkpoint_files import MANIFEST, TOKEN_LIMITS
from swirl.models.checkpoints import base_entry
from swirl.paths import replace_folder


def save_checkpoint(
    world: AdaptedModel,
    folder: Path,
    *,
    with_base: bool = False,
    adapters: dict[str, torch.Tensor] | None = None,
) -> None:
    """Write a checkpoint to `folder`, with the base model in it if asked; replaces what was there.

    `adapters` are the weights of all adapters by name, where the model's own are divided between processes.
    """
    with replace_folder(folder) as temporary:
        # No adapter touches the embeddings; to find that out, peft would look for the base model's folder.
        selected = sorted({"fwm", world.adapter("idm")})
        options = {"selected_adapters": selected, "save_embedding_layers": False, "state_dict": adapters}
        world.model.save_pretrained(str(temporary), **options)
        if world.shared:
            shutil.copytree(temporary / "fwm", temporary / "idm")
        if with_base:
            base = world.model.get_base_model()
            weights = {k.replace(".base_layer.", "."): v for k, v in base.state_dict().items() if ".lora_" not in k}
            base.save_pretrained(str(temporary / "base"), state_dict=weights)
            world.tokenizer.save_pretrained(str(temporary / "base"))
            if isinstance(world.codec, ImageCodec):
                world.codec.image_tokenizer.save_to_base_folder(temporary / "base")
        for card in temporary.rglob("README.md"):
            card.unlink()
        entry = {"base": "base"} if with_base else base_entry(world.base)
        for config in temporary.glob("*/adapter_config.json"):
            # peft writes the local folder of the base model, which means nothing on another machine.
            content = json.loads(config.read_text(encoding="utf-8"))
            config.write_text(json.dumps({**content, "base_model_name_or_path": entry["base"]}, indent=2) + "\n")
        for weights in temporary.rglob("*.safetensors"):
            weights.chmod(0o644)
        limits = {name: getattr(world, name) for name in TOKEN_LIMITS}
        manifest = {"format": 1, **entry, "shared": world.shared, "kind": world.kind, **limits}
        (temporary / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
