"""Keep the answers of an unfinished evaluation in a file, so that a stopped evaluation can continue from there.

A long inference of actions is kept in the same way. The file has one JSON line per batch, appended when the batch is
answered. When the file is read, a truncated line is dropped with everything after it, and its questions are asked
again. So a stopped evaluation has the same batches as an uninterrupted one, and therefore the same figures. A file
belongs to one checkpoint, one collection and one set of settings; it is deleted when the evaluation is done.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TextIO

from filelock import FileLock, Timeout

from swirl import pictures
from swirl.errors import SwirlError
from swirl.models.results import Alternative, Inference, LogProb
from swirl.states import Picture, State
from swirl.version import __version__

FOLDER = "evaluating"
"""The folder of these files in the home."""

MAX_AGE_SECONDS = 30 * 86400
"""Age in seconds after which the answers of an unfinished evaluation are deleted."""

MAX_HASHED_BYTES = 64 << 20
"""Size in bytes up to which a checkpoint's file is identified by its contents; above, by its size and time."""

DECODING = 2
"""Raised when a model's answers are decoded in another way, so that an evaluation never mixes both."""

Question = tuple[str, ...]
Answer = str | tuple[str, ...] | State | LogProb | Inference


class AnswerCache:
    """The file of one evaluation's answers; `answers_loaded` is how many it held when it was opened.

    Raises SwirlError if another process runs the same evaluation, or the file cannot be written.
    """

    def __init__(self, home: Path, identity: Mapping[str, Any]) -> None:
        settings = json.dumps({"version": __version__, "decoding": DECODING, **identity}, sort_keys=True)
        self.file = home / FOLDER / f"{hashlib.sha256(settings.encode()).hexdigest()[:24]}.jsonl"
        self._known: dict[str, Any] = {}
        self._lock = FileLock(str(self.file.with_suffix(".lock")))
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=0)
            delete_old_files(self.file.parent)
            self._open = self._read()
        except Timeout as error:
            raise SwirlError(
                "This evaluation or inference is already running; wait until it is done, or stop it."
            ) from error
        except OSError as error:
            raise SwirlError(
                f"The answers cannot be written to {self.file.parent} ({error.strerror}); make the folder writable or "
                "free some space."
            ) from error
        self.answers_loaded = len(self._known)

    def _read(self) -> TextIO:
        """Load the complete lines, truncate the file after them, and open it for appending."""
        valid_bytes = 0
        if self.file.is_file():
            with open(self.file, "rb") as source:
                for line in source:
                    rows = parse_line(line)
                    if rows is None:
                        break
                    self._known.update(rows)
                    valid_bytes += len(line)
        opened = open(self.file, "a", encoding="utf-8")  # noqa: SIM115 (it stays open while the model answers)
        opened.truncate(valid_bytes)
        return opened

    def get(self, kind: str, question: Question) -> Answer | None:
        """The answer to a question; None if it has not been answered."""
        encoded = self._known.get(digest(kind, question))
        return None if encoded is None else decode_answer(encoded)

    def add(self, answered: Iterable[tuple[str, Question, Answer]]) -> None:
        """Write a batch of answers, each with its kind and question."""
        rows = {digest(kind, question): encode_answer(answer) for kind, question, answer in answered}
        self._open.write(json.dumps(rows, ensure_ascii=False) + "\n")
        self._open.flush()

    def close(self) -> None:
        """Close the file and keep it for the next attempt; delete it if it is empty."""
        self._open.close()
        if self.file.is_file() and not self.file.stat().st_size:
            self.remove()
        self._lock.release()

    def remove(self) -> None:
        """Delete the file, since the evaluation is done."""
        self._open.close()
        self.file.unlink(missing_ok=True)
        self.file.with_suffix(".lock").unlink(missing_ok=True)
        self._lock.release()


def parse_line(line: bytes) -> dict[str, Any] | None:
    """The answers in a line by their digests; None if the line is truncated or malformed."""
    try:
        rows = json.loads(line) if line.endswith(b"\n") else None
    except ValueError:
        return None
    return rows if isinstance(rows, dict) else None


def digest(kind: str, question: Question) -> str:
    """The key of a question in the file: 24 hex digits of a hash of its kind and words."""
    return hashlib.sha256(json.dumps([kind, *question]).encode()).hexdigest()[:24]


def encode_answer(answer: Answer) -> Any:
    """An answer as JSON: a text, several as {"texts"}, [nats, tokens], or a state as {"text"} or {"picture"}.

    An inference is {"actions"}, a list of its alternatives as [action, nats], which begins with the inferred action.
    """
    if isinstance(answer, str):
        return answer
    if isinstance(answer, tuple):
        return {"texts": list(answer)}
    if isinstance(answer, LogProb):
        return [answer.total, answer.tokens]
    if isinstance(answer, Inference):
        return {"actions": [[other.action, other.log_prob] for other in answer.alternatives]}
    if answer.picture is None:
        return {"text": answer.text}
    return {"picture": base64.b64encode(pictures.read_picture_bytes(answer.picture)).decode()}


def decode_answer(encoded: Any) -> Answer:
    """The answer that `encode_answer` encoded."""
    if isinstance(encoded, str):
        return encoded
    if isinstance(encoded, list):
        return LogProb(*encoded)
    if "texts" in encoded:
        return tuple(encoded["texts"])
    if "actions" in encoded:
        alternatives = tuple(Alternative(action, log_prob) for action, log_prob in encoded["actions"])
        return Inference(alternatives[0].action, alternatives[0].log_prob, alternatives)
    if "text" in encoded:
        return State(encoded["text"])
    return State(picture=Picture(encoded=base64.b64decode(encoded["picture"])))


def delete_old_files(folder: Path) -> None:
    """Delete the answers that were last written to more than MAX_AGE_SECONDS ago, and old locks without answers."""
    for file in folder.glob("*.jsonl"):
        if time.time() - file.stat().st_mtime > MAX_AGE_SECONDS:
            file.unlink(missing_ok=True)
            file.with_suffix(".lock").unlink(missing_ok=True)
    for lock in folder.glob("*.lock"):
        if not lock.with_suffix(".jsonl").exists() and time.time() - lock.stat().st_mtime > MAX_AGE_SECONDS:
            lock.unlink(missing_ok=True)


def open_answer_cache(home: Path, checkpoint: str, data: str, settings: Mapping[str, Any]) -> AnswerCache:
    """Open the answers of this checkpoint on this collection with these settings.

    The checkpoint and the collection are identified by their present contents on disk. Raises SwirlError as
    `AnswerCache` does, and if the collection is unknown.
    """
    identity = {"model": model_identity(home, checkpoint), "data": collection_identity(home, data)}
    return AnswerCache(home, {**identity, **settings})


def model_identity(home: Path, checkpoint: str) -> list[str]:
    """What tells whether a checkpoint is still the same: digests of its present files and of its base, or its name."""
    from swirl.models.checkpoint_files import read_manifest
    from swirl.models.checkpoints import base_source, locate_checkpoint

    source = locate_checkpoint(home, checkpoint)
    if not isinstance(source, Path):
        return [str(source)]
    manifest = source / "swirl.json"
    base = base_source(source, read_manifest(source)) if manifest.is_file() else None
    folders = [source, *([Path(base)] if base is not None and Path(base).exists() else [])]
    return [content_digest(folder) for folder in folders] + ([] if base is None else [base])


def collection_identity(home: Path, data: str) -> list[str]:
    """What tells whether a collection is still the same: its name and digests of its present files.

    Raises SwirlError if it is unknown.
    """
    from swirl.sources.collections.catalog import get_collection

    stored = sorted(file for file in get_collection(home, data).path.iterdir() if file.is_file())
    return [data, *map(content_digest, stored)]


def content_digest(path: Path) -> str:
    """A digest of a file, or of all files in a folder, that changes whenever one of them does."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    content_hash = hashlib.sha256()
    for file in (file for file in files if file.is_file()):
        stat = file.stat()
        contents = (
            file.read_bytes() if stat.st_size <= MAX_HASHED_BYTES else str((stat.st_size, stat.st_mtime_ns)).encode()
        )
        content_hash.update(f"{file.name}\0{len(contents)}\0".encode() + contents)
    return content_hash.hexdigest()[:32]
