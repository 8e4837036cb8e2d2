"""Reads the members of an exported run, validating each before it is used."""

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
    """The members of one open zip file; `name` is its name for users. Raises InvalidRunFileError if one is invalid."""

    def __init__(self, archive: zipfile.ZipFile, name: str) -> None:
        self.archive, self.name = archive, name
        self.infos = self.validated_infos()
        self.run_document = self.read_document(layout.RUN_JSON)
        self.hashes = schema.require_object(self.run_document.get("members"), "list of members")
        self.size = max(1, sum(info.file_size for info in self.infos.values()))

    def validated_infos(self) -> dict[str, zipfile.ZipInfo]:
        """The members by name. Raises InvalidRunFileError if one is not allowed or too large."""
        members: dict[str, zipfile.ZipInfo] = {}
        infos = self.archive.infolist()
        if layout.RUN_JSON not in (info.filename for info in infos):
            raise InvalidRunFileError(f"it has no {layout.RUN_JSON}")
        if len(infos) > layout.MAX_MEMBERS:
            raise InvalidRunFileError(f"it has {len(infos)} members")
        for info in infos:
            most = layout.max_member_bytes(info.filename)
            if most is None or info.filename in members:
                raise InvalidRunFileError(f"a run cannot contain {info.filename[:100]!a}")
            if unsafe_member_reason(info) or info.file_size > most:
                raise InvalidRunFileError(f"{info.filename} would unpack to {info.file_size >> 20} MB")
            members[info.filename] = info
        if sum(info.file_size for info in infos) > layout.MAX_TOTAL_BYTES:
            raise InvalidRunFileError(f"it would unpack to more than {layout.MAX_TOTAL_BYTES >> 30} GB")
        return members

    def read_document(self, name: str) -> dict[str, Any]:
        """Load a small member that is a JSON object; run.json must have a supported format."""
        if name not in self.infos:
            raise InvalidRunFileError(f"it has no {name}")
        try:
            document = json.loads(self.archive.read(self.infos[name]))
        except (ValueError, RecursionError) as error:
            raise InvalidRunFileError(f"its {name} is not JSON") from error
        if not isinstance(document, dict) or (name == layout.RUN_JSON and document.get("kind") != layout.KIND):
            raise InvalidRunFileError(f"its {name} is not that of a run")
        if name == layout.RUN_JSON and document.get("format") != layout.FORMAT:
            raise SwirlError(f"{self.name} was written by a newer SWIRL Studio; update this one to import it.")
        return document

    def unpack(self, draft: Path, progress: ProgressCallback) -> None:
        """Unpack all members but run.json and settings.json, and verify their hashes against run.json."""
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
                raise InvalidRunFileError(f"{name} has changed since it was exported")

    def checkpoint_folders(self) -> set[str]:
        """The checkpoint folders among the members."""
        return {name.removesuffix(f"/{MANIFEST}") for name in self.infos if name.endswith(f"/{MANIFEST}")}


def check_adapter(weights: Path, place: str) -> None:
    """Raise InvalidRunFileError unless the weights are valid safetensors of an ordinary LoRA adapter."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(weights, framework="numpy") as tensors:
            tensor_count = len(tensors.keys())
    except SafetensorError as error:
        raise InvalidRunFileError(f"the weights in {place} are not safetensors") from error
    try:
        config = json.loads(weights.with_name("adapter_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InvalidRunFileError(f"{place} has no readable adapter_config.json") from error
    plain = isinstance(config, dict) and config.get("peft_type") == "LORA" and not config.get("auto_mapping")
    if not tensor_count or not plain:
        raise InvalidRunFileError(f"{place} is not an ordinary LoRA adapter")
