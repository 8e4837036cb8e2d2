"""The answers of an evaluation that is not done yet, in a file: a stopped one goes on from there.

One JSON line a batch, appended when the batch is answered. A line that was cut short is dropped when the file is read,
with all that follows, and its questions are asked again: so the batches of an evaluation that was stopped are those of
one that was not, and so are its figures. Only the answers of one checkpoint, one collection and the same settings are
ever read; the file goes when the evaluation is done.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from filelock import FileLock, Timeout

from swirl import pictures
from swirl.errors import SwirlError
from swirl.models.results import LogProb
from swirl.states import Picture, State
from swirl.version import __version__

FOLDER = "evaluating"
"""Where the files lie in the home."""

MAX_AGE_SECONDS = 30 * 86400
"""Seconds after which the answers of an evaluation that nobody went on with are deleted."""

MAX_HASHED_BYTES = 64 << 20
"""Bytes up to which a checkpoint's file is told from another by its contents; above, by its size and time."""

Question = tuple[str, ...]
Answer = str | State | LogProb


class AnswerCache:
    """The file of one evaluation's answers; `rows` is how many it held when it was opened.

    Raises SwirlError when another process is at work on the same evaluation, or the file cannot be written.
    """

    def __init__(self, home: Path, identity: Mapping[str, Any]) -> None:
        said = json.dumps({"version": __version__, **identity}, sort_keys=True)
        self.file = home / FOLDER / f"{hashlib.sha256(said.encode()).hexdigest()[:24]}.jsonl"
        self._known: dict[str, Any] = {}
        self._lock = FileLock(str(self.file.with_suffix(".lock")))
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=0)
            forget_old(self.file.parent)
            self._open = self._read()
        except Timeout as error:
            raise SwirlError("This very evaluation is already going on; wait until it is done, or stop it.") from error
        except OSError as error:
            raise SwirlError(f"The answers cannot be kept in {self.file.parent} ({error.strerror}).") from error
        self.answers_loaded = len(self._known)

    def _read(self) -> TextIO:
        """Take in the whole lines, cut off what is none, and open the file to append to."""
        good = 0
        if self.file.is_file():
            with open(self.file, "rb") as source:
                for line in source:
                    rows = parse_line(line)
                    if rows is None:
                        break
                    self._known.update(rows)
                    good += len(line)
        opened = open(self.file, "a", encoding="utf-8")  # noqa: SIM115 (it stays open while the model answers)
        opened.truncate(good)
        return opened

    def get(self, kind: str, question: Question) -> Answer | None:
        """What the question was answered with; None when it is new."""
        found = self._known.get(digest(kind, question))
        return None if found is None else decode_answer(found)

    def add(self, answered: Iterable[tuple[str, Question, Answer]]) -> None:
        """Write a batch of answers, each with its kind and question."""
        rows = {digest(kind, question): encode_answer(answer) for kind, question, answer in answered}
        self._open.write(json.dumps(rows, ensure_ascii=False) + "\n")
        self._open.flush()

    def close(self) -> None:
        """Let go of the file and keep what it holds; an empty one goes."""
        self._open.close()
        if self.file.is_file() and not self.file.stat().st_size:
            self.remove()
        self._lock.release()

    def remove(self) -> None:
        """The evaluation is done: delete the file."""
        self._open.close()
        self.file.unlink(missing_ok=True)
        self.file.with_suffix(".lock").unlink(missing_ok=True)
        self._lock.release()


def parse_line(line: bytes) -> dict[str, Any] | None:
    """What a line holds; None when it was cut short or is no such line."""
    try:
        rows = json.loads(line) if line.endswith(b"\n") else None
    except ValueError:
        return None
    return rows if isinstance(rows, dict) else None


def digest(kind: str, question: Question) -> str:
    """A question's short name."""
    return hashlib.sha256(json.dumps([kind, *question]).encode()).hexdigest()[:24]


def encode_answer(answer: Answer) -> Any:
    """An answer as JSON: a text, [nats, tokens], or a state as {"text"} or {"picture"}."""
    if isinstance(answer, str):
        return answer
    if isinstance(answer, LogProb):
        return [answer.total, answer.tokens]
    if answer.picture is None:
        return {"text": answer.text}
    return {"picture": base64.b64encode(pictures.read_picture_bytes(answer.picture)).decode()}


def decode_answer(found: Any) -> Answer:
    """The answer that `plain` wrote."""
    if isinstance(found, str):
        return found
    if isinstance(found, list):
        return LogProb(*found)
    return (
        State(found["text"]) if "text" in found else State(picture=Picture(encoded=base64.b64decode(found["picture"])))
    )


def forget_old(folder: Path) -> None:
    """Delete the files that nobody wrote to for long."""
    for file in folder.glob("*.jsonl"):
        if time.time() - file.stat().st_mtime > MAX_AGE_SECONDS:
            file.unlink(missing_ok=True)
            file.with_suffix(".lock").unlink(missing_ok=True)


def open_answer_cache(home: Path, checkpoint: str, data: str, settings: Mapping[str, Any]) -> AnswerCache:
    """The file of this checkpoint's answers on this collection with these settings, as they are on disk now."""
    from swirl.models.checkpoint_files import read_manifest
    from swirl.models.checkpoints import base_source, locate_checkpoint
    from swirl.sources.collections.catalog import get_collection

    source = locate_checkpoint(home, checkpoint)
    model: Sequence[str] = [str(source)]
    if isinstance(source, Path):
        manifest = source / "swirl.json"
        base = base_source(source, read_manifest(source)) if manifest.is_file() else None
        folders = [source, *([Path(base)] if base is not None and Path(base).is_dir() else [])]
        model = [content_digest(folder) for folder in folders] + ([] if base is None else [base])
    collection = get_collection(home, data)
    stored = [content_digest(file) for file in sorted(collection.path.iterdir()) if file.is_file()]
    return AnswerCache(home, {"model": list(model), "data": [data, *stored], **settings})


def content_digest(path: Path) -> str:
    """Changes whenever a file, or one in a folder, does."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    seen = hashlib.sha256()
    for file in (file for file in files if file.is_file()):
        stat = file.stat()
        contents = (
            file.read_bytes() if stat.st_size <= MAX_HASHED_BYTES else str((stat.st_size, stat.st_mtime_ns)).encode()
        )
        seen.update(f"{file.name}\0{len(contents)}\0".encode() + contents)
    return seen.hexdigest()[:32]
