"""Writing a checkpoint: safetensors, peft's own files, and a manifest that names the base model."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from swirl.codecs.state_codecs import ImageCodec
from swirl.models.adapter_model import AdaptedModel
from swirl.models.checkpoint_files import MANIFEST
from swirl.models.checkpoints import base_name


def save_checkpoint(world: AdaptedModel, folder: Path, *, with_base: bool = False) -> None:
    """Write a checkpoint: a temporary sibling first, then a rename, so that no half of one is ever seen."""
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        world.model.save_pretrained(str(temporary), selected_adapters=sorted({"fwm", world.adapter("idm")}))
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
        base_from = "base" if with_base else base_name(world.base)
        for config in temporary.glob("*/adapter_config.json"):
            # peft writes the folder that the base happened to lie in, which means nothing elsewhere.
            written = json.loads(config.read_text(encoding="utf-8"))
            config.write_text(json.dumps({**written, "base_model_name_or_path": base_from}, indent=2) + "\n")
        for weights in temporary.rglob("*.safetensors"):
            weights.chmod(0o644)
        manifest = {"format": 1, "base": base_from, "shared": world.shared, "kind": world.kind}
        (temporary / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
