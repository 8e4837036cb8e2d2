"""Writes rows as a Parquet file whose columns Hugging Face `datasets` recognises, pictures included."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from swirl import pictures
from swirl.states import Picture

if TYPE_CHECKING:
    import pyarrow

ColumnType = Literal["string", "int64", "float32", "image"]
"""The type of a column; any value may be null. An image is a struct of its encoded `bytes` and a file name, `path`."""

MAX_ROWS = 1000
"""The most rows of a row group: what is in memory at a time while a file is written."""
MAX_BYTES = 32 << 20
"""The size in bytes at which a row group of large rows is written before it has MAX_ROWS."""


def write_parquet(file: Path | BinaryIO, columns: Mapping[str, ColumnType], rows: Iterable[Mapping[str, Any]]) -> int:
    """Write rows with these columns to a file, in bounded memory, and return how many there were.

    A row maps names of columns to values; a value of an image column is a Picture. Raises OSError if the file cannot be
    written, SwirlError if a picture cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema, count = build_schema(columns), 0
    with pq.ParquetWriter(file, schema) as writer:
        for group in row_groups(columns, rows):
            writer.write_batch(pa.RecordBatch.from_pylist(group, schema=schema))
            count += len(group)
    return count


def build_schema(columns: Mapping[str, ColumnType]) -> pyarrow.Schema:
    """The Arrow schema of the columns, with the metadata by which `datasets` knows that a column holds images."""
    import pyarrow as pa

    types = {
        "string": pa.string(),
        "int64": pa.int64(),
        "float32": pa.float32(),
        "image": pa.struct({"bytes": pa.binary(), "path": pa.string()}),
    }
    features = {
        name: {"_type": "Image"} if kind == "image" else {"dtype": kind, "_type": "Value"}
        for name, kind in columns.items()
    }
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    return pa.schema([(name, types[kind]) for name, kind in columns.items()], metadata=metadata)


def row_groups(columns: Mapping[str, ColumnType], rows: Iterable[Mapping[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows in groups of at most MAX_ROWS rows and about MAX_BYTES bytes, with their pictures read."""
    images = [name for name, kind in columns.items() if kind == "image"]
    group: list[dict[str, Any]] = []
    size = 0
    for number, row in enumerate(rows):
        group.append({**row, **{name: image_value(row[name], f"{name}-{number:06d}") for name in images}})
        size += sum(value_bytes(value) for value in group[-1].values())
        if len(group) == MAX_ROWS or size >= MAX_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


def image_value(picture: Picture, stem: str) -> dict[str, Any]:
    """The value of an image column: the encoded file as it is, and a name for it."""
    data = pictures.read_picture_bytes(picture)
    return {"bytes": data, "path": stem + pictures.image_suffix(data)}


def value_bytes(value: Any) -> int:
    """About how many bytes a value takes."""
    if isinstance(value, dict):
        return len(value["bytes"])
    return 4 * len(value) if isinstance(value, str) else 8
