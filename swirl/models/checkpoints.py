"""How a name becomes a checkpoint's folder or a model id on the Hub, and what its states are. No torch needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from swirl import paths
from swirl.codecs import CODEC_FOLDER
from swirl.errors import SwirlError
from swirl.history import History
from swirl.models.checkpoint_files import (
    EMU3,
    JANUS_1B,
    JANUS_7B,
    MANIFEST,
    PIPELINE_INDEX_FILE,
    UNIFIED_MODEL_TYPES,
    manifest_kind,
    model_type,
    read_manifest,
)
from swirl.models.hub import HUB_ID, HUB_PREFIX, download_checkpoint, hub_file


def asset_names() -> list[str]:
    """The shipped checkpoints."""
    return sorted(manifest.parent.name for manifest in paths.assets().glob(f"*/{MANIFEST}"))


def resolve_checkpoint(home: Path, name: str) -> Path | str:
    """The folder of a checkpoint, or a model id on the Hub.

    `name` is a folder, an asset name, RUN, RUN@iteration or RUN@iteration-phase, or a Hub id such as `owner/model` or
    `hub:owner/model`. RUN alone means its best checkpoint, or the newest while none is marked. Raises SwirlError in one
    sentence.
    """
    if name.startswith(HUB_PREFIX):
        if not HUB_ID.fullmatch(name.removeprefix(HUB_PREFIX)):
            raise SwirlError(f"{name} is not a name on the Hub; write it as hub:owner/name.")
        return name.removeprefix(HUB_PREFIX)
    folder = Path(name).expanduser()
    if any((folder / file).is_file() for file in (MANIFEST, "config.json", PIPELINE_INDEX_FILE)):
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
    history = History(home)
    if history.find_run(run_id) is None:
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


def checkpoint_kind(folder: Path | str) -> str:
    """What the states of a checkpoint, or of a plain model, are: "text" or "image".

    Of an id on the Hub that is none of the presets' it costs a look at small files; out of reach it is taken for text.
    """
    if isinstance(folder, str):
        manifest = None if folder in (JANUS_1B, JANUS_7B, EMU3) else hub_file(folder, MANIFEST)
        if manifest is not None:
            return manifest_kind(manifest)
        return "image" if folder in (JANUS_1B, JANUS_7B, EMU3) or is_hub_image_model(folder) else "text"
    if (folder / MANIFEST).is_file():
        return str(read_manifest(folder).get("kind", "text"))
    pictures = (folder / PIPELINE_INDEX_FILE).is_file() or (folder / CODEC_FOLDER / "config.json").is_file()
    return "image" if pictures or model_type(folder / "config.json") in UNIFIED_MODEL_TYPES else "text"


def is_hub_image_model(model_id: str) -> bool:
    """Whether a model on the Hub is one of pictures."""
    config = hub_file(model_id, "config.json")
    if config is None:
        return hub_file(model_id, PIPELINE_INDEX_FILE) is not None
    return model_type(config) in UNIFIED_MODEL_TYPES or hub_file(model_id, f"{CODEC_FOLDER}/config.json") is not None


def base_source(folder: Path, manifest: dict[str, Any]) -> str:
    """Where a checkpoint's base model is loaded from: a folder or a Hub id."""
    base = manifest["base"]
    if base == "base":
        return str(folder / "base")
    if base.startswith("asset:"):
        return str(paths.assets() / base.removeprefix("asset:") / "base")
    if base.startswith(HUB_PREFIX):
        owner = download_checkpoint(base.removeprefix(HUB_PREFIX))
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
        return HUB_PREFIX + source.parents[2].name.removeprefix("models--").replace("--", "/", 1)
    return str(source)


def locate_checkpoint(home: Path, name: str) -> Path | str:
    """`resolve_checkpoint`, and a checkpoint on the Hub fetched; a plain model's id there is left as it is."""
    found = resolve_checkpoint(home, name)
    if isinstance(found, Path):
        return found
    folder = download_checkpoint(found)
    if folder is None and name.startswith(HUB_PREFIX):
        raise SwirlError(
            f"{found} on the Hub is no checkpoint of SWIRL, or cannot be reached; check its name, and for a private "
            "one that this machine is logged in (hf auth login)."
        )
    return folder or found
