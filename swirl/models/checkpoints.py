"""What a checkpoint is on disk, and how a name becomes one. Nothing here needs torch.

A checkpoint is a folder with `swirl.json` (`{"format": 1, "base": ..., "shared": bool, "kind": "text" or "image"}`)
and the adapters `fwm/` and `idm/` as ordinary peft folders (safetensors). `base` is "base" for a model in the folder
(a model of pictures has its image codec in `base/codec/`), else what the base model was loaded from: "asset:NAME" for a
shipped one, a folder, or a model id on the Hub.
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
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


def asset_names() -> list[str]:
    """The shipped checkpoints."""
    return sorted(manifest.parent.name for manifest in paths.assets().glob(f"*/{MANIFEST}"))


def resolve_checkpoint(home: Path, name: str) -> Path | str:
    """The folder of a checkpoint, or a model id on the Hub.

    `name` is a folder, an asset name, RUN, RUN@iteration or RUN@iteration-phase, or a Hub id such as `owner/model`.
    RUN alone means its best checkpoint, or the newest while none is marked. Raises SwirlError in one sentence.
    """
    folder = Path(name).expanduser()
    if (folder / MANIFEST).is_file() or (folder / "config.json").is_file():
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
    """What a checkpoint's states are, "text" or "image"; a plain model, on disk or on the Hub, is taken for text."""
    if isinstance(folder, str) or not (folder / MANIFEST).is_file():
        return "text"
    return str(read_manifest(folder).get("kind", "text"))


def base_source(folder: Path, manifest: dict[str, Any]) -> str:
    """Where a checkpoint's base model is loaded from: a folder or a Hub id."""
    base = manifest["base"]
    if base == "base":
        return str(folder / "base")
    if base.startswith("asset:"):
        return str(paths.assets() / base.removeprefix("asset:") / "base")
    return base


def base_name(source: Path | str) -> str:
    """What a new checkpoint writes as its base so that it is found again, on this machine or another."""
    source = Path(source) if isinstance(source, Path) or Path(source).is_dir() else source
    if isinstance(source, str):
        return source
    source = source.resolve()
    if source.name == "base" and source.parent.parent == paths.assets().resolve():
        return f"asset:{source.parent.name}"
    return str(source)
