"""Upload a checkpoint to the Hugging Face Hub: ordinary peft adapters with a model card (`swirl push`)."""

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
    """Upload a trained checkpoint to `repository` (owner/name) and return the address of its page.

    Raises UsageError when the name of the repository or the token is missing or malformed, SwirlError when the
    checkpoint cannot be found or the Hub refuses the upload.
    """
    require_write_token(repository, token)
    with tempfile.TemporaryDirectory(prefix="swirl-push-") as scratch:
        folder = Path(scratch) / "model"
        write_upload_folder(home, checkpoint, repository, folder)
        return upload(folder, repository, kind="model", token=token, private=private)


def write_upload_folder(home: Path, checkpoint: str, repository: str, folder: Path) -> list[str]:
    """Write the files to upload into a new folder; return their paths relative to it.

    The folder holds the adapters `fwm/` and `idm/` in the format of peft, the base model unless it is on the Hub,
    `swirl.json`, from which SWIRL Studio loads the checkpoint, and README.md. Weights are safetensors; a GGUF base
    model stays as it is.
    """
    source = find_trained_checkpoint(home, checkpoint)
    manifest = write_checkpoint(source, folder, whole=True)
    if HUB_ID.fullmatch(manifest["base"]):
        for adapter in ADAPTERS:
            file = folder / adapter / "adapter_config.json"
            config = {**json.loads(file.read_text(encoding="utf-8")), "base_model_name_or_path": manifest["base"]}
            file.write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    scores, settings = load_scores(home, source)
    text = render_model_card(
        exported_checkpoint_name(source, checkpoint),
        repository,
        manifest,
        describe_base_model(source),
        scores,
        settings,
        gguf_file=next((file.name for file in folder.glob("base/*.gguf")), None),
    )
    (folder / "README.md").write_text(text, encoding="utf-8")
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def describe_base_model(source: Path) -> str:
    """Describe the base model of a checkpoint in words for the model card."""
    base = read_manifest(source)["base"]
    shipped = base.removeprefix("asset:") if base.startswith("asset:") else source.name if base == "base" else ""
    return f"the one of {shipped}, which is shipped with SWIRL Studio" if shipped in asset_names() else Path(base).name
