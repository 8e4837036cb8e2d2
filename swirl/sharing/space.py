"""Export a checkpoint as a folder that runs as a Hugging Face Space (`swirl export CHECKPOINT --space DIR`).

The export copies only files that are listed here: the two packages, the shipped assets and one checkpoint. It never
reads the database, other runs, `.env` or anything else in the folders it copies from.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from swirl import paths
from swirl.errors import SwirlError
from swirl.models.checkpoint_files import ADAPTERS, MANIFEST, read_manifest
from swirl.models.checkpoints import asset_names, base_source, locate_checkpoint
from swirl.models.gguf_files import is_gguf
from swirl.models.hub import ADAPTER_FILES
from swirl.presets import PRESETS
from swirl.sources.atomic_folder import clear_leftovers, draft_folder

# The run-time dependencies of `pyproject.toml`; a test checks that the two agree.
REQUIREMENTS = (
    "accelerate",
    "av",
    "datasets",
    "diffusers",
    "fastapi",
    "filelock",
    "gradio",
    "jinja2",
    "numpy",
    "peft",
    "pillow",
    "plotly",
    "psutil",
    "rouge-score",
    "sacrebleu",
    "safetensors",
    "scikit-image",
    "scikit-learn",
    "sqlite-utils",
    "torch",
    "transformers",
    "trl",
)
BASE_FILES = (
    "config.json",
    "generation_config.json",
    "model*.safetensors",
    "model.safetensors.index.json",
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
    "preprocessor_config.json",
    "processor_config.json",
    "codec/config.json",
    "codec/diffusion_pytorch_model.safetensors",
    "codec/frames.json",
)
ASSET_FILES = (
    "scripts/*.js",
    "scripts/*/*.js",
    "styles/*.css",
    "templates/*.html",
    "icons/*.png",
    "sample-run.zip",
    "collections/*/*.json",
    "collections/*/*.jsonl",
    "collections/*/frames.zip",
)
# Keys that tell where a model lay on the exporting machine; they are removed.
ORIGIN_KEYS = ("base_model_name_or_path", "_name_or_path", "name_or_path")
CONFIGURATIONS = ("adapter_config.json", "config.json", "tokenizer_config.json")

APP = '''"""Start SWIRL Studio as a read-only demonstration: visitors can look, play and compare."""

import os
import sys

from studio.serve import serve

if __name__ == "__main__":
    port = os.environ.get("GRADIO_SERVER_PORT", "7860")
    sys.exit(serve(["--demo", "--host", "0.0.0.0", "--port", port, "--no-browser"]))
'''
README = """---
title: SWIRL Studio
emoji: 🌀
colorFrom: indigo
colorTo: blue
sdk: gradio
sdk_version: {gradio}
python_version: "{python}"
app_file: app.py
license: apache-2.0
---

A world model trained from sequences of states without action labels: a forward world model predicts the next state
after an action, and an inverse dynamics model infers the action between two states. This Space shows the checkpoint
`{checkpoint}` in SWIRL Studio.

Visitors can look, play and compare; the server refuses to start, change or upload anything. To run the demonstration
elsewhere: `pip install -r requirements.txt && python app.py`
"""


def export_space(home: Path, checkpoint: str, folder: Path) -> list[str]:
    """Write the Space into `folder`, which must be new or empty, and return its files as paths relative to it.

    The folder appears complete or not at all. Raises SwirlError when the checkpoint cannot be found or is a plain
    language model, or when the folder is not empty or cannot be written.
    """
    source, folder = find_trained_checkpoint(home, checkpoint), folder.expanduser().resolve()
    clear_leftovers(folder.parent)
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise SwirlError(f"{folder} already exists and is not empty; name a new folder.")
    try:
        with draft_folder(folder) as space:
            name = exported_checkpoint_name(source, checkpoint)
            write_code(space)
            write_assets(space, {name: source, **required_shipped_checkpoints(source)})
            write_texts(space, name, needs_gguf=any(space.glob("assets/*/base/*.gguf")))
            os.replace(space, folder)
    except OSError as error:
        # The error may name a file of this program, which was only read.
        raise SwirlError(
            f"{folder} cannot be written ({error.strerror or error}); free some space or name another folder."
        ) from error
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def find_trained_checkpoint(home: Path, checkpoint: str) -> Path:
    """Return the folder of a trained checkpoint.

    Raises SwirlError when the checkpoint cannot be found or is a plain language model.
    """
    source = locate_checkpoint(home, checkpoint)
    if isinstance(source, str) or not (source / MANIFEST).is_file():
        raise SwirlError(
            f"{checkpoint} is a plain language model; name a trained checkpoint, such as RUN@1 or a shipped one."
        )
    return source


def exported_checkpoint_name(source: Path, checkpoint: str) -> str:
    """Return the name under which visitors of the Space find the checkpoint."""
    shipped = asset_names()
    if source.parent == paths.assets() and source.name in shipped:
        return source.name
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(checkpoint).name).strip("-.") or "checkpoint"
    return f"{name}-exported" if name in shipped else name


def required_shipped_checkpoints(source: Path) -> dict[str, Path]:
    """Return the shipped checkpoints that the Space needs: the base of the checkpoint, and those the presets name."""
    wanted = {preset.settings.model for preset in PRESETS.values()}
    wanted.add(read_manifest(source)["base"].removeprefix("asset:"))
    return {name: paths.assets() / name for name in asset_names() if name in wanted}


def write_code(space: Path) -> None:
    """Write the Python files of the two packages, and the license."""
    root = paths.PACKAGE.parent
    for package in ("swirl", "studio"):
        for file in (root / package).rglob("*.py"):
            copy_without_origin(file, space / file.relative_to(root))
    license_file = root / "LICENSE"
    text = license_file.read_text(encoding="utf-8") if license_file.is_file() else installed_license()
    (space / "LICENSE").write_text(text, encoding="utf-8")


def installed_license() -> str:
    """Return the license text from the metadata of the installed package."""
    text = metadata.distribution("swirl-studio").read_text("licenses/LICENSE")
    if text is None:
        raise SwirlError("The LICENSE file of the installed swirl-studio is missing; reinstall swirl-studio.")
    return text


def write_assets(space: Path, checkpoints: dict[str, Path]) -> None:
    """Write the scripts, style sheets, templates, sample collections and the given checkpoints."""
    for file in find_matching_files(paths.assets(), ASSET_FILES):
        copy_without_origin(file, space / "assets" / file.relative_to(paths.assets()))
    for name, source in checkpoints.items():
        write_checkpoint(source, space / "assets" / name)


def write_checkpoint(source: Path, target: Path, *, whole: bool = False) -> dict[str, Any]:
    """Copy a checkpoint so that it needs nothing from this machine, and return its manifest.

    The base model, a folder or a GGUF file, is copied too unless it is a shipped asset or on the Hub. With `whole`, a
    base in a shipped asset is also copied, for readers who do not have SWIRL Studio.

    Somebody else may have written the checkpoint. Raises SwirlError if it names something as its base model that is
    none, or holds a link to a file elsewhere on this machine.
    """
    manifest = read_manifest(source)
    base = base_source(source, manifest)
    for adapter in ADAPTERS:
        for file in find_own_files(source / adapter, ADAPTER_FILES):
            copy_without_origin(file, target / adapter / file.name)
    if Path(base).is_file():
        if not is_gguf(Path(base)):
            raise SwirlError(f"{source} names {base} as its base model, which is none; name another checkpoint.")
        # Under the suffix by which a reader knows it; Ollama's files have none.
        copy_without_origin(Path(base), target / "base" / gguf_name(Path(base)))
        manifest = {name: value for name, value in manifest.items() if name not in ("base_bytes", "base_sha256")}
        manifest["base"] = "base"
    elif (whole or not manifest["base"].startswith("asset:")) and Path(base).is_dir():
        if not any(Path(base).glob("*.safetensors")):
            raise SwirlError(f"{source} names {base} as its base model, which is none; name another checkpoint.")
        for file in find_own_files(Path(base), BASE_FILES):
            copy_without_origin(file, target / "base" / file.relative_to(base))
        manifest = {**manifest, "base": "base"}
    (target / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    return manifest


def gguf_name(file: Path) -> str:
    """The name of a GGUF file in an export."""
    return file.name if file.suffix.lower() == ".gguf" else f"{file.name}.gguf"


def write_texts(space: Path, name: str, *, needs_gguf: bool = False) -> None:
    """Write app.py, requirements.txt with the installed versions, and the README with the settings of the Space."""
    packages = (*REQUIREMENTS, *(("gguf",) if needs_gguf else ()))
    versions = {package: metadata.version(package).partition("+")[0] for package in packages}
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    pins = "".join(f"{package}=={version}\n" for package, version in versions.items())
    (space / "requirements.txt").write_text(pins, encoding="utf-8")
    (space / "app.py").write_text(APP, encoding="utf-8")
    text = README.format(gradio=versions["gradio"], python=python, checkpoint=name)
    (space / "README.md").write_text(text, encoding="utf-8")


def find_matching_files(folder: Path, patterns: tuple[str, ...]) -> Iterator[Path]:
    """Yield the files in a folder that match one of the glob patterns."""
    for pattern in patterns:
        yield from (file for file in sorted(folder.glob(pattern)) if file.is_file())


def find_own_files(folder: Path, patterns: tuple[str, ...]) -> Iterator[Path]:
    """Yield the files that match, as `find_matching_files` does. Raises SwirlError for a link to a file elsewhere."""
    for file in find_matching_files(folder, patterns):
        target = file.resolve()
        # The Hub's cache keeps the contents of all files there. Programs may be installed as links, too.
        is_kept_apart = target.parent.name == "blobs" or folder.is_relative_to(paths.assets())
        if not is_kept_apart and not target.is_relative_to(folder.resolve()):
            raise SwirlError(f"{file} is a link to a file in another folder; put the file itself there to share it.")
        yield file


def copy_without_origin(source: Path, target: Path) -> None:
    """Copy a file; in a JSON configuration, drop the keys that tell where a model lay on this machine."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.name not in CONFIGURATIONS:
        shutil.copyfile(source, target)
        return
    values = json.loads(source.read_text(encoding="utf-8"))
    kept = {key: value for key, value in values.items() if key not in ORIGIN_KEYS}
    target.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
