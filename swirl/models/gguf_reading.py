"""Lets transformers read a GGUF file once and without detours; needs the package gguf.

transformers reads the file's header for the config, the tokenizer and the weights, each time in full, and looks up the
names of all tensors once a tensor. For a model of 135 million weights that takes longer than everything else together.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import gguf
import numpy as np


class PlainReader(gguf.GGUFReader):
    """The package's reader on a plain array: each slice of a memory map costs several times as much."""

    @property
    def data(self) -> np.ndarray:
        """The bytes of the file."""
        return self._data

    @data.setter
    def data(self, mapped: np.memmap) -> None:
        self._data = mapped.view(np.ndarray)


@contextmanager
def read_once() -> Iterator[None]:
    """While this is active, transformers gets the file's header and the tensors' names from the first reading."""
    reader, names = gguf.GGUFReader, gguf.get_tensor_name_map
    gguf.GGUFReader = lru_cache(maxsize=1)(PlainReader)
    gguf.get_tensor_name_map = lru_cache(maxsize=1)(names)
    try:
        yield
    finally:
        gguf.GGUFReader, gguf.get_tensor_name_map = reader, names
