"""Lists and safely opens the files of a folder or zip file; zip files are read member by member, never unpacked."""

from __future__ import annotations

import re
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from swirl.errors import SwirlError
from swirl.sources.reading import natural_sort_key, printable_path, visible_files
from swirl.sources.text_lines import is_regular
from swirl.sources.validation import Skipped, UnusableError

MAX_UNPACKED = 2 * 2**30
"""The largest unpacked size of a zip file, in bytes."""
MAX_RATIO = 200
SUSPICIOUS_SIZE = 100 * 2**20
"""In bytes. A member that unpacks to more than this and to more than MAX_RATIO times its packed size is a zip bomb."""
READ_ERRORS = (OSError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, ValueError)
"""What reading a member raises if it is damaged, encrypted, or compressed with an unknown method."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file: its relative name with `/` between folders, its size in bytes, and a function that opens it.

    `is_zip_member` marks members of zip files, in which seeking is slow. `content` is the suffix by what is in the
    file, where that is known.
    """

    name: str
    size: int
    open: Callable[[], IO[bytes]]
    is_zip_member: bool = False
    content: str | None = None

    @property
    def suffix(self) -> str:
        """The suffix in lower case."""
        return PurePosixPath(self.name).suffix.lower() if self.content is None else self.content

    def read(self, most: int) -> bytes:
        """Read at most `most` + 1 bytes. Raises UnusableError if the file cannot be read."""
        try:
            with self.open() as file:
                return file.read(most + 1)
        except READ_ERRORS as error:
            raise UnusableError(f"cannot be read ({error_reason(error)}); copy it again or remove it") from error


@contextmanager
def open_entries(path: Path, skipped: list[Skipped], content: str | None = None) -> Iterator[list[Entry]]:
    """The files of a folder or zip file, or the single file `path`, in natural order.

    `content` is the suffix of a single file by what is in it, by default its own. Zip files in a folder are opened too.
    What is left out is added to `skipped`. Raises SwirlError if the path cannot be read.
    """
    with ExitStack() as stack:
        try:
            if path.is_dir():
                found = []
                for file in visible_files(path, skipped):
                    name = printable_path(file.relative_to(path))
                    if file.suffix.lower() != ".zip":
                        found.append(Entry(name, file.stat().st_size, partial(file.open, "rb")))
                        continue
                    try:
                        found += open_zip_members(stack, file, name.removesuffix(file.suffix) + "/", skipped)
                    except UnusableError as problem:
                        skipped.append(Skipped(name, str(problem)))
            elif not is_regular(path):
                raise SwirlError(f"{path} is not a file or folder; check the path.")
            elif (path.suffix.lower() if content is None else content) == ".zip":
                found = open_zip_members(stack, path, "", skipped)
            else:
                name = printable_path(Path(path.name))
                found = [Entry(name, path.stat().st_size, partial(path.open, "rb"), content=content)]
        except UnusableError as problem:
            raise SwirlError(f"{path} {problem}.") from problem
        except OSError as error:
            raise SwirlError(f"{path} cannot be read ({error.strerror or error}); check its permissions.") from error
        yield sorted(found, key=lambda entry: natural_sort_key(entry.name))


def open_zip_members(stack: ExitStack, file: Path, prefix: str, skipped: list[Skipped]) -> list[Entry]:
    """The usable members of a zip file, with `prefix` before their names; the file stays open as long as `stack`.

    Raises UnusableError if it is not a zip file or would unpack to more than MAX_UNPACKED.
    """
    try:
        archive = stack.enter_context(zipfile.ZipFile(file))
        infos = [info for info in archive.infolist() if not info.is_dir() and not is_hidden(info.filename)]
    except READ_ERRORS as error:
        raise UnusableError(
            f"is not a complete zip file ({error_reason(error)}); copy it again or recreate it"
        ) from error
    found: dict[str, Entry] = {}
    total = 0
    for info in infos:
        name = prefix + info.filename.replace("\\", "/").encode(errors="replace").decode()
        if why := unsafe_member_reason(info) or (
            "repeats the name of another member; rename it" if name in found else ""
        ):
            skipped.append(Skipped(f"{file.name}: {info.filename[:200]!a}", why))
            continue
        total += info.file_size
        found[name] = Entry(name, info.file_size, partial(archive.open, info), is_zip_member=True)
    if total > MAX_UNPACKED:
        raise UnusableError(
            f"would unpack to {total / 2**30:.1f} GB, more than the limit of {MAX_UNPACKED >> 30} GB for a zip file; "
            "split it, or unpack it and import the folder"
        )
    return list(found.values())


def unsafe_member_reason(info: zipfile.ZipInfo) -> str:
    """Why a member must not be read; empty if it may be."""
    name = info.filename.replace("\\", "/")
    if name.startswith("/") or re.match(r"[A-Za-z]:", name) or ".." in name.split("/"):
        return "has a name that points outside the zip file; rename it"
    if stat.S_ISLNK(info.external_attr >> 16):
        return "is a link, not a file; replace it with the file itself"
    if info.file_size > SUSPICIOUS_SIZE and info.file_size > MAX_RATIO * max(1, info.compress_size):
        return f"would unpack to {info.file_size >> 20} MB from almost nothing; recreate the zip file without it"
    return ""


def is_hidden(name: str) -> bool:
    """Whether a member is hidden, such as those that operating systems add."""
    parts = re.split(r"[/\\]", name)
    return any(part == "__MACOSX" or (part.startswith(".") and part.strip(".")) for part in parts)


def error_reason(error: BaseException) -> str:
    """The reason for an error, without local paths."""
    return getattr(error, "strerror", None) or str(error).partition("\n")[0][:160] or "damaged"
