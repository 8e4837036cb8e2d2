"""Tells what a file is by its first bytes, as names are often wrong or say nothing."""

from __future__ import annotations

import json
import re
import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from swirl.sources.reading import visible_files
from swirl.sources.text_lines import is_regular

HEAD_BYTES = 4096
KNOWN_TEXTS = frozenset({".txt", ".md", ".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".traj"})
"""The suffixes of texts whose names are believed, unless their first line is an object of JSON."""
MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x89HDF\r\n\x1a\n", "hdf5"),
    (0, b"\x93NUMPY", "npy"),
    (0, b"PAR1", "parquet"),
    (0, b"ARROW1", "arrow"),
    (257, b"ustar", "tar"),
    (0, b"\x89PNG\r\n\x1a\n", "png"),
    (0, b"\xff\xd8\xff", "jpg"),
    (0, b"GIF8", "gif"),
    (8, b"WEBP", "webp"),
    (8, b"AVI ", "avi"),
    (4, b"ftypavif", "avif"),
    (4, b"ftypavis", "avif"),
    (4, b"ftyp", "mp4"),
    (0, b"\x1aE\xdf\xa3", "mkv"),
    (0, b"FLV\x01", "flv"),
    (0, b"0&\xb2u\x8ef\xcf\x11", "wmv"),
    (0, b"OggS", "ogv"),
    (0, b"\x00\x00\x01\xba", "mpg"),
)
"""Where a file of each kind has which bytes."""
SUFFIXES: dict[str, frozenset[str]] = {
    "hdf5": frozenset({".hdf5", ".h5", ".hdf"}),
    "tar": frozenset({".tar"}),
    "png": frozenset({".png", ".apng"}),
    "jpg": frozenset({".jpg", ".jpeg"}),
    "mp4": frozenset({".mp4", ".m4v", ".mov", ".3gp"}),
    "mkv": frozenset({".mkv", ".webm"}),
    "mpg": frozenset({".mpg", ".mpeg"}),
    "ts": frozenset({".ts", ".mts", ".m2ts"}),
    "zip": frozenset({".zip", ".npz", ".eval"}),
    "jsonl": frozenset({".jsonl", ".ndjson", ".json", ".traj"}),
    "csv": frozenset({".csv", ".tsv"}),
}
"""The suffixes that files of a kind may have; of the others it is the kind itself."""


@dataclass(frozen=True)
class Source:
    """What is imported: a file or folder, and the suffix that the file should have by what is in it."""

    path: Path
    suffix: str = ""

    @cached_property
    def files(self) -> tuple[Path, ...]:
        """The visible files in a folder and its subfolders, looked for once, as each format asks for them."""
        return tuple(visible_files(self.path, []))

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return self.path.is_dir()


def open_source(path: Path) -> Source:
    """The source at a path, which may be missing."""
    return Source(path, "" if not path.is_file() else content_suffix(path))


def content_suffix(path: Path) -> str:
    """The suffix, in lower case, that a file should have: its own, unless what is in it says otherwise."""
    own = path.suffix.lower()
    try:
        if not is_regular(path):
            return own
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError:
        return own
    kind = detect_kind(head, path) or (text_kind(head) if own not in KNOWN_TEXTS else None)
    if kind is None or own in SUFFIXES.get(kind, {f".{kind}"}):
        return own
    return f".{kind}"


def text_kind(head: bytes) -> str | None:
    """What the text of a file says whose suffix says nothing: a document of JSON, or a table."""
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"%PDF-"):
        return "pdf"
    if start[:1] in (b"[", b"{"):
        return "json"
    names = {name.strip(b'" ').lower() for name in re.split(rb"[,;|\t]", start.partition(b"\n")[0].rstrip())}
    return "csv" if {b"sequence_id", b"step", b"state"} <= names else None


def detect_kind(head: bytes, path: Path) -> str | None:
    """What the first bytes of a file say; None if they say nothing."""
    if head.startswith(b"PK\x03\x04"):
        return zip_kind(path)
    return detect_head(head) or ("jsonl" if begins_with_object(head) else None)


def detect_head(head: bytes) -> str | None:
    """The kind of the bytes of a file that is no zip file and no text; None if they say nothing."""
    for offset, magic, kind in MAGIC:
        if head[offset : offset + len(magic)] == magic:
            return kind
    for start, packet in ((0, 188), (4, 192)):  # of a transport stream; with a time before each packet
        if len(head) > start + 2 * packet and all(head[start + n * packet] == 0x47 for n in range(3)):
            return "ts"
    return None


def zip_kind(path: Path) -> str:
    """What a zip file holds: arrays, a log of Inspect, or files."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile, NotImplementedError, ValueError):
        return "zip"
    if names and all(name.endswith(".npy") for name in names):
        return "npz"
    return "eval" if "header.json" in names or "_journal/start.json" in names else "zip"


def begins_with_object(head: bytes) -> bool:
    """Whether the first line of a text is an object of JSON, or the beginning of one that is very long."""
    line, end, _ = head.removeprefix(b"\xef\xbb\xbf").lstrip().partition(b"\n")
    if not line.startswith(b"{"):
        return False
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return not end and len(line) > HEAD_BYTES // 2 and line[1:].lstrip().startswith(b'"')
