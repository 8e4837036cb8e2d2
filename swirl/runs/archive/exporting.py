"""Exports a run as a single file."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from swirl.errors import SwirlError
from swirl.exports.new_files import new_files
from swirl.history import Checkpoint, Evaluation, History, Rollout, Run
from swirl.history.run_transfer import TRANSFERRED_COLUMNS
from swirl.models.checkpoint_files import ADAPTERS, MANIFEST, read_manifest
from swirl.models.checkpoints import base_name, base_source
from swirl.progress import ProgressCallback
from swirl.runs import scheduler
from swirl.runs.archive import file_format as layout
from swirl.runs.archive.lineage import find_parent_links
from swirl.version import __version__

CHUNK = 1 << 20
ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")


@dataclass(frozen=True)
class ExportedRun:
    """The written file, its size in bytes, and the checkpoints in it without weights, whose files are missing."""

    file: Path
    size: int
    without_weights: tuple[str, ...]


def export_run(
    home: Path,
    run_id: str,
    target: Path,
    progress: ProgressCallback = lambda share, words: None,
    *,
    figures_only: bool = False,
) -> ExportedRun:
    """Write a run to the file `target`, or into the folder `target` under the run's id, atomically.

    With `figures_only`, without its weights, rollouts, pictures and log, and without paths: a file of 10 to 80 kB to
    look at, to compare and to count in an experiment, but not to load.

    Raises SwirlError if the run is unknown or the file cannot be written, UsageError if the file already exists.
    """
    history = History(home)
    run = history.run(run_id)
    file = target / f"{run_id}{layout.SUFFIX}" if target.is_dir() else target
    with (
        new_files(file) as folder,
        zipfile.ZipFile(folder / file.name, "x", zipfile.ZIP_DEFLATED, compresslevel=6) as archive,
    ):
        without_weights = RunFileWriter(home, history, run, archive, progress, figures_only).write()
    return ExportedRun(file, file.stat().st_size, without_weights)


class RunFileWriter:
    """Writes one run into an open zip file, member by member, and records the size and SHA-256 of each member."""

    def __init__(
        self,
        home: Path,
        history: History,
        run: Run,
        archive: zipfile.ZipFile,
        progress: ProgressCallback,
        figures_only: bool,
    ) -> None:
        self.home, self.history, self.run, self.archive, self.progress = home, history, run, archive, progress
        self.figures_only = figures_only
        self.folder = scheduler.run_folder(home, run.id)
        self.members: dict[str, dict[str, Any]] = {}
        self.written_bytes, self.total_bytes = 0, 1

    def write(self) -> tuple[str, ...]:
        """Write all members, run.json last. Returns the names of checkpoints whose files are missing."""
        checkpoints = self.history.checkpoints(self.run.id)
        kept, missing = ([], ()) if self.figures_only else self.complete_checkpoints(checkpoints)
        files = [] if self.figures_only else [*self.adapter_files(kept), *self.log_and_media_files()]
        self.total_bytes = max(1, sum(file.stat().st_size for _, file in files))
        settings = without_folders(self.run.settings) if self.figures_only else self.run.settings
        self.write_lines(layout.SETTINGS_JSON, [json.dumps(settings, indent=2) + "\n"])
        self.write_lines(
            layout.METRICS_JSONL, (json.dumps(row) + "\n" for row in self.history.iterate_metrics(self.run.id))
        )
        rollouts = () if self.figures_only else self.history.iterate_rollouts(self.run.id)
        self.write_lines(layout.ROLLOUTS_JSONL, map(rollout_line, rollouts))
        for checkpoint, manifest in kept:
            place = layout.checkpoint_folder(checkpoint.index, checkpoint.phase)
            self.write_lines(f"{place}/{MANIFEST}", [json.dumps(manifest, indent=1) + "\n"])
        for name, file in files:
            self.write_file(name, file)
        with_weights = {checkpoint.index for checkpoint, _ in kept}
        rows = [
            {**omit_keys(asdict(checkpoint), "run", "name", "path"), "weights": checkpoint.index in with_weights}
            for checkpoint in checkpoints
        ]
        document = self.build_run_document(rows)
        self.archive.writestr(layout.RUN_JSON, json.dumps(document, ensure_ascii=False))
        return missing

    def complete_checkpoints(
        self, checkpoints: Iterable[Checkpoint]
    ) -> tuple[list[tuple[Checkpoint, dict[str, Any]]], tuple[str, ...]]:
        """The checkpoints whose files are complete, each with a portable swirl.json; and the names of the others."""
        kept, missing = [], []
        for checkpoint in checkpoints:
            folder = self.home / checkpoint.path
            try:
                manifest = read_manifest(folder)
            except SwirlError:
                missing.append(checkpoint.name)
                continue
            # A GGUF base is named with its hash already, by which it is recognised on another machine.
            portable = {} if "base_sha256" in manifest else {"base": base_name(base_source(folder, manifest))}
            kept.append((checkpoint, {**manifest, **portable}))
        return kept, tuple(missing)

    def adapter_files(self, kept: Iterable[tuple[Checkpoint, dict[str, Any]]]) -> Iterator[tuple[str, Path]]:
        """Yield the adapter files of the checkpoints with their names in the zip file."""
        for checkpoint, _ in kept:
            place = layout.checkpoint_folder(checkpoint.index, checkpoint.phase)
            for name in (f"{adapter}/{file}" for adapter in ADAPTERS for file in ADAPTER_FILES):
                yield f"{place}/{name}", self.home / checkpoint.path / name

    def log_and_media_files(self) -> Iterator[tuple[str, Path]]:
        """Yield the run's log and pictures with their names in the zip file."""
        for file in (self.folder / layout.LOG_FILE, *sorted((self.folder / "media").glob("*"))):
            name = file.relative_to(self.folder).as_posix()
            if layout.max_member_bytes(name) is not None and file.is_file() and not file.is_symlink():
                yield name, file

    def write_lines(self, name: str, lines: Iterable[str]) -> None:
        """Write a member from lines, one at a time."""
        self.write_member(name, (line.encode() for line in lines), zipfile.ZIP_DEFLATED)

    def write_file(self, name: str, file: Path) -> None:
        """Write a file of the run as a member; weights are not compressed, as they would hardly get smaller."""
        packing = zipfile.ZIP_STORED if name.endswith(".safetensors") else zipfile.ZIP_DEFLATED
        with file.open("rb") as source:
            self.write_member(name, iter(lambda: source.read(CHUNK), b""), packing, counted=True)

    def write_member(self, name: str, chunks: Iterable[bytes], packing: int, *, counted: bool = False) -> None:
        """Write one member and record its size and hash; `counted` members advance the progress."""
        digest, size = hashlib.sha256(), 0
        info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
        info.compress_type, info.external_attr = packing, 0o644 << 16
        with self.archive.open(info, "w", force_zip64=True) as out:
            for chunk in chunks:
                out.write(chunk)
                digest.update(chunk)
                size += len(chunk)
                self.written_bytes += len(chunk) if counted else 0
                self.progress(min(1.0, self.written_bytes / self.total_bytes), f"Writing {name}")
        self.members[name] = {"bytes": size, "sha256": digest.hexdigest()}

    def build_run_document(self, checkpoints: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The content of run.json with these rows of checkpoints."""
        run_id, history = self.run.id, self.history
        link = find_parent_links(self.home, history.runs()).get(run_id)
        origin = None
        if link is not None:
            parent = history.run(link.parent)
            origin = {"run": parent.id, "created": parent.created, "checkpoint": link.checkpoint}
        columns = {name: value for name, value in asdict(self.run).items() if name in TRANSFERRED_COLUMNS}
        return {
            "format": layout.FORMAT,
            "kind": layout.KIND,
            "made_with": __version__,
            "id": run_id,
            "run": {**columns, "name": None if self.run.name == run_id else self.run.name},
            "note": self.run.note,
            "tags": list(self.run.tags),
            "from": origin,
            "resumptions": [omit_keys(asdict(resumption), "run") for resumption in history.resumptions(run_id)],
            "phases": [omit_keys(asdict(phase), "run") for phase in history.phases(run_id)],
            "checkpoints": checkpoints,
            "evaluations": [self.evaluation_row(evaluation) for evaluation in history.evaluations_of_run(run_id)],
            "experiment": self.experiment_row(),
            "members": self.members,
        }

    def evaluation_row(self, evaluation: Evaluation) -> dict[str, Any]:
        """An evaluation with its results per transition, without which two runs cannot be compared in pairs."""
        return {**omit_keys(asdict(evaluation), "id"), "cases": self.history.evaluation_cases(evaluation.id)}

    def experiment_row(self) -> dict[str, str] | None:
        """The experiment and the cell of its grid that the run is for, if it is for one."""
        found = self.history.experiment_of_run(self.run.id)
        return None if found is None else {"name": found[0], "cell": found[1]}


def rollout_line(rollout: Rollout) -> str:
    """Format a rollout as a line of rollouts.jsonl."""
    texts = (rollout.phase, rollout.step, rollout.state, rollout.next_state, rollout.action)
    return json.dumps([*texts, rollout.samples, rollout.rewards, rollout.advantages], ensure_ascii=False) + "\n"


def without_folders(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings in which a path of this machine is the name of its file or folder alone."""
    return {
        name: Path(value).name if isinstance(value, str) and Path(value).is_absolute() else value
        for name, value in settings.items()
    }


def omit_keys(row: dict[str, Any], *names: str) -> dict[str, Any]:
    """A row without some of its keys."""
    return {name: value for name, value in row.items() if name not in names}
