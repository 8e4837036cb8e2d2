"""Reads the logs of Inspect evaluations: `.eval` files, zip files with a sample in each member.

Since version 0.3.206 members are compressed with Zstandard, which `zipfile` cannot read before Python 3.14.
"""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from swirl.errors import SwirlError
from swirl.sources.archive_entries import READ_ERRORS, error_reason, unsafe_member_reason
from swirl.sources.reading import natural_sort_key
from swirl.sources.validation import UnusableError

ZSTANDARD = 93
"""The number of the method in zip files."""
MAX_SAMPLE_BYTES = 2**28
"""The largest sample that is read, in bytes."""
ATTACHMENT = "attachment://"
"""What a text that is kept elsewhere in the sample begins with."""


def inspect_conversations(file: Path) -> Iterator[tuple[str, list[Any] | UnusableError]]:
    """Yield the name of each sample, `ID-epoch-N`, and its messages, or why they cannot be read.

    Raises SwirlError if the file cannot be read.
    """
    try:
        with zipfile.ZipFile(file) as archive, file.open("rb") as raw:
            infos = [info for info in archive.infolist() if info.filename.startswith("samples/")]
            for info in sorted(infos, key=lambda info: natural_sort_key(info.filename)):
                name = info.filename.removeprefix("samples/").removesuffix(".json").replace("_epoch_", "-epoch-")
                try:
                    yield name, sample_messages(json.loads(read_member(archive, info, raw)))
                except UnusableError as problem:
                    yield name, problem
                except (*READ_ERRORS, RecursionError) as error:
                    yield name, UnusableError(f"cannot be read ({error_reason(error)}); copy the log again")
    except (OSError, zipfile.BadZipFile, NotImplementedError) as error:
        raise SwirlError(f"{file} is not a complete log of Inspect ({error_reason(error)}); copy it again.") from error


def read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, raw: Any) -> bytes:
    """The content of a member. Raises UnusableError if it must not be read."""
    if why := unsafe_member_reason(info):
        raise UnusableError(why)
    if info.file_size > MAX_SAMPLE_BYTES:
        raise UnusableError(f"is larger than {MAX_SAMPLE_BYTES >> 20} MB, and left out")
    if info.compress_type != ZSTANDARD:
        return archive.read(info)
    import pyarrow

    raw.seek(info.header_offset + 26)
    lengths = raw.read(4)
    if len(lengths) < 4:
        raise UnusableError("lies outside the file; copy the log again")
    name_length, extra_length = struct.unpack("<2H", lengths)
    raw.seek(name_length + extra_length, 1)
    packed = pyarrow.BufferReader(raw.read(info.compress_size))
    with pyarrow.CompressedInputStream(packed, "zstd") as stream:
        return stream.read(info.file_size)


def sample_messages(sample: Any) -> list[Any]:
    """The messages of a sample. Raises UnusableError if it has none."""
    messages = sample.get("messages") if isinstance(sample, dict) else None
    if not isinstance(messages, list):
        raise UnusableError("has no messages, and is left out")
    attachments = sample.get("attachments")
    return resolve(messages, attachments) if isinstance(attachments, dict) and attachments else messages


def resolve(value: Any, attachments: dict[str, Any]) -> Any:
    """A value with texts in place of the names of attachments."""
    if isinstance(value, str):
        return attachments.get(value.removeprefix(ATTACHMENT), value) if value.startswith(ATTACHMENT) else value
    if isinstance(value, list):
        return [resolve(item, attachments) for item in value]
    return {key: resolve(item, attachments) for key, item in value.items()} if isinstance(value, dict) else value
