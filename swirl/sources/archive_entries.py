"""The files of a folder or of a zip file, by name; a zip file is read member by member and never unpacked."""

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
"""The most that a zip file may hold, in bytes when unpacked."""
MAX_RATIO = 200
SUSPICIOUS_SIZE = 100 * 2**20
"""A member that unpacks to more than this, and to more than MAX_RATIO times its size in the zip file, is a trap."""
READ_ERRORS = (OSError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, ValueError)
"""What reading a member raises when it is damaged, encrypted, or packed in an unknown way."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file: its name, relative and with `/` between folders, its size in bytes, and how to open it.

    `packed` says that it is a member of a zip file, in which going back and forth is slow.
    """

    name: str
    size: int
    open: Callable[[], IO[bytes]]
    is_zip_member: bool = False

    @property
    def suffix(self) -> str:
        """The suffix in small letters."""
        return PurePosixPath(self.name).suffix.lower()

    def read(self, most: int) -> bytes:
        """At most `most` + 1 bytes of it. Raises Unusable if it cannot be read."""
        try:
            with self.open() as file:
                return file.read(most + 1)
        except READ_ERRORS as error:
            raise UnusableError(f"cannot be read ({error_reason(error)}); copy it again or remove it") from error


@contextmanager
def open_entries(path: Path, skipped: list[Skipped]) -> Iterator[list[Entry]]:
    """The files of a folder, of a zip file, or the one file that `path` is, in natural order.

    Zip files within a folder are opened too. What is left out is added to `skipped`. Raises SwirlError if the path,
    or a zip file that is the whole path, cannot be read.
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
                raise SwirlError(f"{path} is no file or folder; check the path.")
            elif path.suffix.lower() == ".zip":
                found = open_zip_members(stack, path, "", skipped)
            else:
                found = [Entry(printable_path(Path(path.name)), path.stat().st_size, partial(path.open, "rb"))]
        except UnusableError as problem:
            raise SwirlError(f"{path} {problem}.") from problem
        except OSError as error:
            raise SwirlError(f"{path} cannot be read ({error.strerror or error}); check its permissions.") from error
        yield sorted(found, key=lambda entry: natural_sort_key(entry.name))


def open_zip_members(stack: ExitStack, file: Path, prefix: str, skipped: list[Skipped]) -> list[Entry]:
    """The usable members of a zip file, their names after `prefix`; the file stays open as long as `stack`.

    Raises Unusable if it is no zip file, or would unpack to more than MAX_UNPACKED.
    """
    try:
        archive = stack.enter_context(zipfile.ZipFile(file))
        infos = [info for info in archive.infolist() if not info.is_dir() and not is_hidden(info.filename)]
    except READ_ERRORS as error:
        raise UnusableError(
            f"is not a whole zip file ({error_reason(error)}); copy it again or make it anew"
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
            f"would unpack to {total / 2**30:.1f} GB, more than the {MAX_UNPACKED >> 30} GB that a zip file may; "
            "divide it, or unpack it and import the folder"
        )
    return list(found.values())


def unsafe_member_reason(info: zipfile.ZipInfo) -> str:
    """Why a member must not be read; nothing if it may."""
    name = info.filename.replace("\\", "/")
    if name.startswith("/") or re.match(r"[A-Za-z]:", name) or ".." in name.split("/"):
        return "has a name that leads out of the zip file; rename it"
    if stat.S_ISLNK(info.external_attr >> 16):
        return "is a link, not a file; put the file itself there"
    if info.file_size > SUSPICIOUS_SIZE and info.file_size > MAX_RATIO * max(1, info.compress_size):
        return f"would unpack to {info.file_size >> 20} MB from almost nothing; make the zip file anew without it"
    return ""


def is_hidden(name: str) -> bool:
    """Whether a member is one of those that systems add unseen."""
    parts = re.split(r"[/\\]", name)
    return any(part == "__MACOSX" or (part.startswith(".") and part.strip(".")) for part in parts)


def error_reason(error: BaseException) -> str:
    """What went wrong, without the paths of this machine."""
    return getattr(error, "strerror", None) or str(error).partition("\n")[0][:160] or "damaged"
