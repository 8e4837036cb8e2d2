"""The members of a run's file, each checked before a byte of it is believed."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

from swirl.errors import SwirlError
from swirl.models.checkpoint_files import MANIFEST
from swirl.progress import ProgressCallback
from swirl.runs.archive import file_format as layout
from swirl.runs.archive import schema
from swirl.runs.archive.exporting import CHUNK
from swirl.runs.archive.schema import InvalidRunFileError
from swirl.sources.archive_entries import unsafe_member_reason


class RunFileMembers:
    """The members of one open zip file, called `name` by its owner. Wrong is raised for whatever is not in order."""

    def __init__(self, archive: zipfile.ZipFile, name: str) -> None:
        self.archive, self.name = archive, name
        self.infos = self.validated_infos()
        self.about = self.read_document(layout.RUN_JSON)
        self.hashes = schema.require_object(self.about.get("members"), "list of members")
        self.size = max(1, sum(info.file_size for info in self.infos.values()))

    def validated_infos(self) -> dict[str, zipfile.ZipInfo]:
        """The members by name, if each may be there and none is too large."""
        found: dict[str, zipfile.ZipInfo] = {}
        infos = self.archive.infolist()
        if layout.RUN_JSON not in (info.filename for info in infos):
            raise InvalidRunFileError(f"it has no {layout.RUN_JSON}")
        if len(infos) > layout.MAX_MEMBERS:
            raise InvalidRunFileError(f"it has {len(infos)} members")
        for info in infos:
            most = layout.max_member_bytes(info.filename)
            if most is None or info.filename in found:
                raise InvalidRunFileError(f"there is no place for {info.filename[:100]!a} in a run")
            if unsafe_member_reason(info) or info.file_size > most:
                raise InvalidRunFileError(f"{info.filename} would unpack to {info.file_size >> 20} MB")
            found[info.filename] = info
        if sum(info.file_size for info in infos) > layout.MAX_TOTAL_BYTES:
            raise InvalidRunFileError(f"it would unpack to more than {layout.MAX_TOTAL_BYTES >> 30} GB")
        return found

    def read_document(self, name: str) -> dict[str, Any]:
        """A small member that is a JSON object; of run.json, one that we can read."""
        if name not in self.infos:
            raise InvalidRunFileError(f"it has no {name}")
        try:
            found = json.loads(self.archive.read(self.infos[name]))
        except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
            raise InvalidRunFileError(f"its {name} is no JSON") from error
        if not isinstance(found, dict) or (name == layout.RUN_JSON and found.get("kind") != layout.KIND):
            raise InvalidRunFileError(f"its {name} is not a run's")
        if name == layout.RUN_JSON and found.get("format") != layout.FORMAT:
            raise SwirlError(f"{self.name} was written by a newer SWIRL Studio; update this one to import it.")
        return found

    def unpack(self, draft: Path, progress: ProgressCallback) -> None:
        """Write all members but run.json and settings.json, if each is what run.json says it is."""
        draft.mkdir(parents=True)
        done = 0
        for name, info in self.infos.items():
            if name in (layout.RUN_JSON, layout.SETTINGS_JSON):
                continue
            digest = hashlib.sha256()
            target = draft / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with self.archive.open(info) as source, target.open("xb") as out:
                while chunk := source.read(CHUNK):
                    out.write(chunk)
                    digest.update(chunk)
                    done += len(chunk)
                    progress(min(1.0, done / self.size), f"Reading {name}")
            if digest.hexdigest() != schema.require_object(self.hashes.get(name), f"hash of {name}").get("sha256"):
                raise InvalidRunFileError(f"{name} is not what it was when it was written")

    def checkpoint_folders(self) -> set[str]:
        """The folders of checkpoints among the members."""
        return {name.removesuffix(f"/{MANIFEST}") for name in self.infos if name.endswith(f"/{MANIFEST}")}


def check_adapter(weights: Path, place: str) -> None:
    """Raise Wrong unless the weights are whole safetensors and their configuration is an ordinary LoRA adapter's."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(weights, framework="numpy") as tensors:
            found = len(tensors.keys())
    except SafetensorError as error:
        raise InvalidRunFileError(f"the weights in {place} are no safetensors") from error
    try:
        config = json.loads(weights.with_name("adapter_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidRunFileError(f"{place} has no readable adapter_config.json") from error
    plain = isinstance(config, dict) and config.get("peft_type") == "LORA" and not config.get("auto_mapping")
    if not found or not plain:
        raise InvalidRunFileError(f"{place} is no ordinary LoRA adapter")
