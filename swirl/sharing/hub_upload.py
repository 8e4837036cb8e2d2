"""`swirl push CHECKPOINT --to owner/name`: a checkpoint on the Hub, as ordinary peft adapters with a model card."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from swirl.models.checkpoint_files import ADAPTERS, read_manifest
from swirl.models.checkpoints import asset_names
from swirl.models.hub import HUB_ID, require_write_token, upload
from swirl.sharing.model_card import load_scores, render_model_card
from swirl.sharing.space import exported_checkpoint_name, find_trained_checkpoint, write_checkpoint


def push_to_hub(
    home: Path, checkpoint: str, repository: str, *, token: str | None = None, private: bool = False
) -> str:
    """Upload a trained checkpoint; the address of its page.

    Raises UsageError or SwirlError when the checkpoint, the name, the token or the connection does not do.
    """
    require_write_token(repository, token)
    with tempfile.TemporaryDirectory(prefix="swirl-push-") as scratch:
        folder = Path(scratch) / "model"
        write_upload_folder(home, checkpoint, repository, folder)
        return upload(folder, repository, kind="model", token=token, private=private)


def write_upload_folder(home: Path, checkpoint: str, repository: str, folder: Path) -> list[str]:
    """Write what is to be uploaded into a new folder; its files, as paths relative to it.

    The adapters `fwm/` and `idm/`, each as peft saves one; the base model unless it is on the Hub; `swirl.json`, by
    which SWIRL Studio knows the whole again; README.md. Weights are safetensors.
    """
    source = find_trained_checkpoint(home, checkpoint)
    manifest = write_checkpoint(source, folder, whole=True)
    if HUB_ID.fullmatch(manifest["base"]):
        for adapter in ADAPTERS:
            file = folder / adapter / "adapter_config.json"
            named = {**json.loads(file.read_text(encoding="utf-8")), "base_model_name_or_path": manifest["base"]}
            file.write_text(json.dumps(named, indent=1) + "\n", encoding="utf-8")
    known, settings = load_scores(home, source)
    text = render_model_card(
        exported_checkpoint_name(source, checkpoint), repository, manifest, describe_base_model(source), known, settings
    )
    (folder / "README.md").write_text(text, encoding="utf-8")
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def describe_base_model(source: Path) -> str:
    """What the base model of a checkpoint is called, by people."""
    base = read_manifest(source)["base"]
    shipped = base.removeprefix("asset:") if base.startswith("asset:") else source.name if base == "base" else ""
    return f"that of {shipped}, which comes with SWIRL Studio" if shipped in asset_names() else Path(base).name
