"""Writes the `frames.zip` of a picture collection: one member per frame, named in sequences.jsonl."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from swirl.sources.collections.collection_files import FRAMES_FILE
from swirl.states import Picture, State

LOCAL_HEADER = struct.Struct("<4s5H3L2H")
"""The head of a member in a zip file: its third last field is the size, the last two the lengths of name and extra."""


class FrameWriter:
    """Writes the frames of a collection; used as a context manager.

    Members are stored without compression, as PNG and JPEG are compressed already, and with a fixed date, so that equal
    frames make equal files. With `written`, in bytes, it goes on with an archive of which that much is complete.
    """

    def __init__(self, folder: Path, written: int = 0) -> None:
        self.path = folder / FRAMES_FILE
        self.sequences = 0
        if not written:
            self.zip = zipfile.ZipFile(self.path, "w", zipfile.ZIP_STORED)
            return
        with self.path.open("r+b") as file:
            infos = read_local_headers(file, written)
            file.truncate(written)
        # zipfile appends to a file without a directory as it does to any file; it is given the directory of what is
        # there already.
        self.zip = zipfile.ZipFile(self.path, "a", zipfile.ZIP_STORED)
        self.zip.filelist.extend(infos)
        self.zip.NameToInfo.update((info.filename, info) for info in infos)
        self.sequences = 1 + int(infos[-1].filename.partition("/")[0])

    def __enter__(self) -> FrameWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.zip.close()

    def add_sequence(self, frames: Iterable[tuple[bytes, str]]) -> list[str]:
        """Write a sequence's frames, each as its bytes and suffix (`.png`, `.jpg`, `.webp`). Returns the member names.

        Frames are written as they arrive, so that a long video need not fit into memory.
        """
        members = []
        for index, (data, suffix) in enumerate(frames):
            members.append(f"{self.sequences:05d}/{index:05d}{suffix}")
            self.zip.writestr(zipfile.ZipInfo(members[-1]), data)
        self.sequences += 1
        return members

    def flush(self) -> int:
        """Write out what is buffered. Returns the bytes written so far, without the directory of the archive."""
        assert self.zip.fp is not None
        self.zip.fp.flush()
        return self.zip.start_dir


def read_local_headers(file: BinaryIO, end: int) -> list[zipfile.ZipInfo]:
    """The members of an archive that FrameWriter began, from its first `end` bytes, which hold whole members."""
    infos = []
    at = 0
    while at < end:
        file.seek(at)
        fields = LOCAL_HEADER.unpack(file.read(LOCAL_HEADER.size))
        version, flags, method, _, _, crc, packed, size, name_length, extra_length = fields[1:]
        info = zipfile.ZipInfo(file.read(name_length).decode())
        info.extract_version = info.create_version = version
        info.flag_bits, info.compress_type, info.CRC = flags, method, crc
        info.compress_size, info.file_size, info.header_offset = packed, size, at
        info.external_attr = 0o600 << 16  # as `writestr` sets it
        infos.append(info)
        at += LOCAL_HEADER.size + name_length + extra_length + packed
    return infos


def stored_state(folder: Path, member: str) -> State:
    """The state of a stored frame; the frame itself is not read."""
    return State(picture=Picture(file=folder / FRAMES_FILE, member=member))
