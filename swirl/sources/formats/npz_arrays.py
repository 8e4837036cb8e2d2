"""Arrays of an npz file that are read a piece at a time, so that a file larger than the memory can be read."""

from __future__ import annotations

import math
import zipfile
from typing import IO

import numpy as np

from swirl.sources.validation import UnusableError

MAX_LOADED_BYTES = 2**28
"""The largest array, other than of pictures, in bytes; it is loaded whole."""


class NpzArray:
    """An array in an npz file; its parts along the first axis are read one after the other.

    Going back begins at the start of the file again, since it may be compressed.
    """

    def __init__(self, archive: zipfile.ZipFile, name: str, shape: tuple[int, ...] | None = None) -> None:
        self.archive, self.name = archive, name
        self._file: IO[bytes] | None = None
        self.stored_shape, self.fortran_order, self.dtype = self._read_header(self._open())
        self.shape = shape or self.stored_shape
        self._next = 0
        self._whole: np.ndarray | None = None
        """The array, if its numbers do not lie in the order in which they are read."""

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def part_bytes(self) -> int:
        """The size of one part along the first axis, in bytes."""
        return math.prod(self.shape[1:]) * self.dtype.itemsize

    def reshape(self, shape: tuple[int, ...]) -> NpzArray:
        """The same numbers in another shape."""
        return NpzArray(self.archive, self.name, shape)

    def load(self) -> np.ndarray:
        """The whole array. Raises UnusableError if it is larger than MAX_LOADED_BYTES."""
        if math.prod(self.shape) * self.dtype.itemsize > MAX_LOADED_BYTES:
            raise UnusableError(f"has the array {self.name} of more than {MAX_LOADED_BYTES >> 20} MB; leave it out")
        with self.archive.open(self.name) as file:
            return np.lib.format.read_array(file, allow_pickle=False).reshape(self.shape)

    def __getitem__(self, index: int) -> np.ndarray:
        if self.fortran_order:
            if self._whole is None:
                self._whole = self.load()
            return self._whole[index]
        if self._file is None or index < self._next:
            self._read_header(self._open())
            self._next = 0
        assert self._file is not None
        while self._next < index:
            self._take()
        return np.frombuffer(self._take(), dtype=self.dtype).reshape(self.shape[1:])

    def _take(self) -> bytes:
        assert self._file is not None
        data = self._file.read(self.part_bytes)
        if len(data) < self.part_bytes:
            raise EOFError(f"the file ends within the array {self.name}")
        self._next += 1
        return data

    def _open(self) -> IO[bytes]:
        if self._file is not None:
            self._file.close()
        self._file = self.archive.open(self.name)
        return self._file

    @staticmethod
    def _read_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran_order, dtype = read(file)
        if dtype.hasobject:
            raise ValueError("it holds Python objects, which are not read")
        return shape, fortran_order, dtype


def npz_arrays(archive: zipfile.ZipFile) -> dict[str, NpzArray]:
    """The arrays of an npz file by name; nothing but their headers is read."""
    return {name.removesuffix(".npy"): NpzArray(archive, name) for name in archive.namelist() if name.endswith(".npy")}
