"""Imports a run from a file: all of it is validated, nothing is executed, and a failed import leaves nothing behind."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from swirl.errors import SwirlError, UsageError
from swirl.history import History
from swirl.models.checkpoint_files import read_manifest
from swirl.models.checkpoints import asset_names
from swirl.models.gguf_bases import find_base
from swirl.progress import ProgressCallback
from swirl.runs import scheduler
from swirl.runs.archive import file_format as layout
from swirl.runs.archive import schema
from swirl.runs.archive.deletion import IMPORT_PREFIX, remove_leftovers
from swirl.runs.archive.lineage import owning_run_id
from swirl.runs.archive.schema import InvalidRunFileError
from swirl.runs.archive.zip_members import RunFileMembers, check_adapter
from swirl.settings import Settings
from swirl.sources.archive_entries import READ_ERRORS, error_reason

FOREIGN_MODEL_PREFIX = "elsewhere:"
"""The prefix of the name of a checkpoint that an imported run started from but this home does not have."""


@dataclass(frozen=True)
class ImportedRun:
    """An imported run: its id here (`run`) and in the file (`was`), its counts, and what this machine lacks for it."""

    run: str
    was: str
    checkpoints: int
    figures: int
    size: int
    lacks: tuple[str, ...]
    cell: tuple[str, str] | None = None
    """The experiment and the cell of its grid that the run was for, by the file."""


def import_run(
    home: Path, file: Path, progress: ProgressCallback = lambda share, words: None, name: str | None = None
) -> ImportedRun:
    """Import the run in `file` into a home, under its own id or, if that was ever used here, a new one.

    `name` is the file's name for users. Raises SwirlError, and stores nothing, if the file is damaged or not an
    exported run.
    """
    name = name or file.name
    remove_leftovers(home)
    with open_run_file(file, name) as archive:
        return RunFileReader(home, archive, name, progress).store_run()


def read_cell(file: Path) -> tuple[str, str] | None:
    """The experiment and the cell of its grid that the run in `file` was for, or None; nothing is imported.

    Raises SwirlError if the file is damaged or not an exported run.
    """
    with open_run_file(file, file.name) as archive:
        return schema.parse_experiment(RunFileMembers(archive, file.name).run_document.get("experiment"))


@contextmanager
def open_run_file(file: Path, name: str) -> Iterator[zipfile.ZipFile]:
    """Open the zip file of a run; what turns out to be wrong with it becomes a SwirlError that names it."""
    with ExitStack() as stack:
        try:
            yield stack.enter_context(zipfile.ZipFile(file))
        except UsageError as error:
            raise SwirlError(f"{name} does not fit this version of SWIRL Studio: {error}") from error
        except READ_ERRORS as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise SwirlError(
                    f"{name} cannot be read or unpacked ({error.strerror}); check the file and the disk."
                ) from error
            raise SwirlError(
                f"{name} is not a valid run file ({describe_error(error)}); export the run again."
            ) from error


def describe_error(error: Exception) -> str:
    """The reason why a file cannot be imported."""
    return str(error) if isinstance(error, InvalidRunFileError) else error_reason(error)


class RunFileReader:
    """Imports from one open zip file. Methods raise InvalidRunFileError for anything that is not valid."""

    def __init__(self, home: Path, archive: zipfile.ZipFile, name: str, progress: ProgressCallback) -> None:
        self.home, self.name, self.progress = home, name, progress
        self.history = History(home)
        self.members = RunFileMembers(archive, name)
        self.run_document, self.total_bytes = self.members.run_document, self.members.size

    def store_run(self) -> ImportedRun:
        """Validate, store and reveal the run."""
        rows = self.parse_rows()
        settings, parent = self.parse_settings()
        columns = schema.parse_run_columns(self.run_document.get("run"))
        cell = schema.parse_experiment(self.run_document.get("experiment"))
        was = schema.require_text(self.run_document.get("id"), "id", 100)
        if shutil.disk_usage(self.home).free < self.total_bytes:
            raise SwirlError(
                f"{self.name} needs {max(1, round(self.total_bytes / 1e6))} MB in {self.home}; free some space first."
            )
        run_id = self.history.begin_import(was, columns, settings, parent, Path(self.name).name[:200])
        final = scheduler.run_folder(self.home, run_id)
        draft = final.with_name(IMPORT_PREFIX + final.name)
        try:
            self.members.unpack(draft, lambda share, words: self.progress(0.6 * share, words))
            lacks = self.check_checkpoints(draft, rows["checkpoints"], run_id)
            lacks += self.missing_collections(settings)
            figures = self.store_rows(run_id, draft, rows)
            (draft / layout.SETTINGS_JSON).write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
            shutil.rmtree(final, ignore_errors=True)  # of a run whose creation was killed
            draft.rename(final)
            self.history.complete_import(run_id)
        except BaseException:
            for folder in (draft, final):
                shutil.rmtree(folder, ignore_errors=True)
            self.history.purge_run(run_id)
            raise
        return ImportedRun(
            run_id,
            was,
            len(rows["checkpoints"]),
            figures,
            self.total_bytes,
            tuple(dict.fromkeys(lacks)),
            cell,
        )

    def parse_rows(self) -> dict[str, Any]:
        """The rows in run.json, validated."""
        document, kinds = self.run_document, ("phases", "checkpoints", "evaluations", "resumptions", "tags")
        rows: dict[str, Any] = {kind: getattr(schema, f"parse_{kind}")(document.get(kind)) for kind in kinds}
        # Earlier versions took notes of any length.
        return rows | {"note": schema.require_text(document.get("note"), "note", schema.MAX_STATE_LENGTH)}

    def parse_settings(self) -> tuple[dict[str, Any], str | None]:
        """The run's settings, and the id of its parent if exactly that run is in this home.

        The name of a model from a run that is not here gets FOREIGN_MODEL_PREFIX.
        """
        values = self.members.read_document(layout.SETTINGS_JSON)
        checked_settings = Settings.from_dict(values)
        origin = self.run_document.get("from")
        parent = None
        if origin is not None:
            origin = schema.require_object(origin, "origin")
            known = self.history.find_run(str(origin.get("run")))
            parent = known.id if known and known.created == origin.get("created") else None
        model = checked_settings.model
        names_local_run = self.history.find_run(owning_run_id(self.home, model)) is not None
        foreign = names_local_run or bool(origin and origin.get("checkpoint"))
        if foreign and parent is None and not model.startswith(FOREIGN_MODEL_PREFIX):
            values = {**values, "model": FOREIGN_MODEL_PREFIX + model}
        return values, parent

    def check_checkpoints(self, draft: Path, rows: list[dict[str, Any]], run_id: str) -> list[str]:
        """Validate the weights of every checkpoint and set its path here. Returns what is missing.

        A checkpoint without weights gets the path where they would lie, as if its files had been deleted here.
        """
        lacks, with_weights = [], set()
        for row in rows:
            place = layout.checkpoint_folder(row["index"], row["phase"])
            row["path"] = (scheduler.run_folder(Path(), run_id) / place).as_posix()
            if not row.pop("weights"):
                continue
            with_weights.add(place)
            try:
                manifest = read_manifest(draft / place)
            except SwirlError as error:
                raise InvalidRunFileError(f"{place} is not a complete checkpoint") from error
            base = manifest["base"]
            for weights in sorted((draft / place).glob("*/adapter_model.safetensors")):
                check_adapter(weights, f"{place}/{weights.parent.name}")
            if base == "base" or (base.startswith("asset:") and base.removeprefix("asset:") not in asset_names()):
                raise InvalidRunFileError(f"{place} needs a base model that the file does not contain")
            if "base_sha256" in manifest:
                lacks += missing_gguf_base(draft / place, manifest)
            elif Path(base).is_absolute() and not Path(base).is_dir():
                lacks.append(f"the base model {base}")
        if self.members.checkpoint_folders() - with_weights:
            raise InvalidRunFileError("it contains a checkpoint that the run does not list")
        if without := len(rows) - len(with_weights):
            some = "" if without == len(rows) else f"{without} of "
            lacks.append(f"the weights of {some}its checkpoints, which are not in the file")
        return lacks

    def missing_collections(self, settings: dict[str, Any]) -> list[str]:
        """The collection that the run was trained on, if it is missing here."""
        from swirl.sources.collections.catalog import list_collections

        data = str(settings.get("data") or "")
        return [] if data in {c.name for c in list_collections(self.home)} else [f"the collection {data}"]

    def store_rows(self, run_id: str, draft: Path, rows: dict[str, Any]) -> int:
        """Store the rows, those of the two large files while they are read. Returns the number of metrics."""
        figures, rollouts = draft / layout.METRICS_JSONL, draft / layout.ROLLOUTS_JSONL
        self.progress(0.6, "Storing its figures")
        self.history.add_imported_rows(
            run_id,
            figures=self.parse_lines(figures, schema.parse_metric_line),
            rollouts=self.parse_lines(rollouts, schema.parse_rollout_line),
            **rows,
        )
        for file in (figures, rollouts):
            file.unlink(missing_ok=True)
        return self.history.metric_and_rollout_counts(run_id)[0]

    def parse_lines(self, file: Path, read: Callable[[bytes], tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
        """Yield the validated lines of a large member."""
        if not file.is_file():
            raise InvalidRunFileError(f"it has no {file.name}")
        size, done = max(1, file.stat().st_size), 0
        with file.open("rb") as source:
            for line in source:
                done += len(line)
                self.progress(0.6 + 0.4 * done / size, "Storing its figures")
                yield read(line)


def missing_gguf_base(checkpoint: Path, manifest: dict[str, Any]) -> list[str]:
    """The GGUF base model of a checkpoint, in words, if it is not on this machine."""
    try:
        find_base(checkpoint, manifest)
    except SwirlError:
        return [f"the base model {Path(manifest['base']).name}"]
    return []
