"""What a checkpoint is on disk, and how a name becomes one. Nothing here needs torch.

A checkpoint is a folder with `swirl.json` (`{"format": 1, "base": ..., "shared": bool, "kind": "text" or "image"}`)
and the adapters `fwm/` and `idm/` as ordinary peft folders (safetensors). `base` is "base" for a model in the folder
(a model of pictures has its image codec in `base/codec/`), else what the base model was loaded from: "asset:NAME" for a
shipped one, a folder, or a model id on the Hub.

A plain model can be named too: a causal language model, one that reads and draws pictures (Janus, Emu3, or a causal
language model with an image codec in its folder `codec/`), or a diffusion editor (`model_index.json`).
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from swirl import paths
from swirl.errors import SwirlError

MANIFEST = "swirl.json"
ADAPTERS = ("fwm", "idm")
INDEX = "model_index.json"
CODEC = "codec"
"""The image codec's folder beside its language model."""
HUB = "hub:"
"""Before an id on the Hub it says that no folder of this machine is meant."""
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
UNIFIED = ("emu3", "janus")
"""Kinds of model, as their config.json says, that have their image codec within."""
JANUS_1B, JANUS_7B, EMU3 = "deepseek-community/Janus-Pro-1B", "deepseek-community/Janus-Pro-7B", "BAAI/Emu3-Gen-hf"


def asset_names() -> list[str]:
    """The shipped checkpoints."""
    return sorted(manifest.parent.name for manifest in paths.assets().glob(f"*/{MANIFEST}"))


def resolve_checkpoint(home: Path, name: str) -> Path | str:
    """The folder of a checkpoint, or a model id on the Hub.

    `name` is a folder, an asset name, RUN, RUN@iteration or RUN@iteration-phase, or a Hub id such as `owner/model` or
    `hub:owner/model`. RUN alone means its best checkpoint, or the newest while none is marked. Raises SwirlError in one
    sentence.
    """
    if name.startswith(HUB):
        if not HUB_ID.fullmatch(name.removeprefix(HUB)):
            raise SwirlError(f"{name} is not a name on the Hub; write it as hub:owner/name.")
        return name.removeprefix(HUB)
    folder = Path(name).expanduser()
    if any((folder / file).is_file() for file in (MANIFEST, "config.json", INDEX)):
        return folder.resolve()
    if folder.is_dir():
        raise SwirlError(f"{name} holds neither a checkpoint ({MANIFEST}) nor a model (config.json); name its folder.")
    if name in asset_names():
        return paths.assets() / name
    run_id, _, wanted = name.partition("@")
    found = run_checkpoint(home, run_id, wanted, name)
    if found is not None:
        return found
    if HUB_ID.fullmatch(name) and not folder.exists():
        return name
    raise SwirlError(
        f"There is no checkpoint {name!r}; name a folder, a run, a model id on the Hub, "
        f"or one of: {', '.join(asset_names())}."
    )


def run_checkpoint(home: Path, run_id: str, wanted: str, name: str) -> Path | None:
    """The folder of a run's checkpoint, or None when there is no such run."""
    from swirl.history import History

    history = History(home)
    if run_id not in {run.id for run in history.runs()}:
        return None
    checkpoints = history.checkpoints(run_id)
    if not checkpoints:
        raise SwirlError(f"The run {run_id} has no checkpoint yet; wait for its first phase to end.")
    if wanted:
        fits = [c for c in checkpoints if wanted in (str(c.iteration), f"{c.iteration}-{c.phase}")]
    else:
        fits = [c for c in checkpoints if c.best] or checkpoints
    if not fits:
        raise SwirlError(
            f"The run {run_id} has no checkpoint {wanted}; it has {', '.join(c.name for c in checkpoints)}."
        )
    folder = Path(fits[-1].path)
    folder = folder if folder.is_absolute() else home / folder
    if not (folder / MANIFEST).is_file():
        raise SwirlError(f"The checkpoint {fits[-1].name} is gone from {folder}; its run cannot be loaded any more.")
    return folder


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


def kind_of(folder: Path | str) -> str:
    """What the states of a checkpoint, or of a plain model, are: "text" or "image".

    Of an id on the Hub that is none of the presets' it costs a look at small files; out of reach it is taken for text.
    """
    if isinstance(folder, str):
        manifest = None if folder in (JANUS_1B, JANUS_7B, EMU3) else hub_file(folder, MANIFEST)
        if manifest is not None:
            return manifest_kind(manifest)
        return "image" if folder in (JANUS_1B, JANUS_7B, EMU3) or hub_draws(folder) else "text"
    if (folder / MANIFEST).is_file():
        return str(read_manifest(folder).get("kind", "text"))
    pictures = (folder / INDEX).is_file() or (folder / CODEC / "config.json").is_file()
    return "image" if pictures or model_type(folder / "config.json") in UNIFIED else "text"


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


def hub_draws(model_id: str) -> bool:
    """Whether a model on the Hub is one of pictures."""
    config = hub_file(model_id, "config.json")
    if config is None:
        return hub_file(model_id, INDEX) is not None
    return model_type(config) in UNIFIED or hub_file(model_id, f"{CODEC}/config.json") is not None


def hub_file(model_id: str, name: str) -> Path | None:
    """One small file of a model on the Hub; None when it has none of that name or cannot be reached."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, OfflineModeIsEnabled

    try:
        return Path(hf_hub_download(model_id, name))
    except (EntryNotFoundError, HfHubHTTPError, OfflineModeIsEnabled, OSError):
        return None


def base_source(folder: Path, manifest: dict[str, Any]) -> str:
    """Where a checkpoint's base model is loaded from: a folder or a Hub id."""
    base = manifest["base"]
    if base == "base":
        return str(folder / "base")
    if base.startswith("asset:"):
        return str(paths.assets() / base.removeprefix("asset:") / "base")
    if base.startswith(HUB):
        from swirl.models.hub import fetched

        owner = fetched(base.removeprefix(HUB))
        if owner is None:
            raise SwirlError(f"{folder} builds on {base}, which cannot be reached on the Hub; try again later.")
        return str(owner / "base")
    return base


def base_name(source: Path | str) -> str:
    """What a new checkpoint writes as its base so that it is found again, on this machine or another."""
    source = Path(source) if isinstance(source, Path) or Path(source).is_dir() else source
    if isinstance(source, str):
        return source
    source = source.resolve()
    if source.name == "base" and source.parent.parent == paths.assets().resolve():
        return f"asset:{source.parent.name}"
    if source.name == "base" and (source.parent / MANIFEST).is_file() and source.parent.parent.name == "snapshots":
        # Fetched from the Hub, into a folder that another machine has elsewhere: models--OWNER--NAME/snapshots/COMMIT
        return HUB + source.parents[2].name.removeprefix("models--").replace("--", "/", 1)
    return str(source)
