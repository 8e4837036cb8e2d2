"""Reads labelled transitions of texts or pictures for the supervised warm-up, in any layout of `layouts`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from swirl.errors import SwirlError, UsageError
from swirl.sources.formats.jsonl import read_json_document, read_records
from swirl.sources.labels.layouts import LABEL_KEYS, parse_labels
from swirl.sources.reading import SkipReport, no_sequences_error
from swirl.sources.text_lines import Meter, TextFile, is_regular, open_text
from swirl.sources.validation import Skipped, UnusableError
from swirl.states import LabelledTransition

MAX_JSON_BYTES = 2**29
"""The largest `.json` file that is read as a list of labels, in bytes."""


def read_labels(path: Path) -> tuple[list[LabelledTransition], list[Skipped]]:
    """Read the labelled transitions of a file. Returns them and what was left out. Raises SwirlError if there are none.

    Paths of pictures are relative to the file; only the header of a picture is read.
    """
    report = SkipReport()
    labels: list[LabelledTransition] = []
    try:
        if not path.exists():
            raise SwirlError(f"There is no file of labels {path}; check the path.")
        if not is_regular(path):
            raise SwirlError(f"{path} is not a file; labels need a JSONL file with {', '.join(LABEL_KEYS)} per line.")
        with open_text(path, path.name, Meter(path.stat().st_size)) as source:
            for where, record in read_label_records(source):
                try:
                    for label in parse_labels(record, path.parent):
                        if isinstance(label, UnusableError):
                            report.add(Skipped(where, str(label)))
                        else:
                            labels.append(label)
                except UnusableError as problem:
                    report.add(Skipped(where, str(problem)))
    except OSError as error:
        raise SwirlError(f"{path} cannot be read ({error.strerror or error}); check its permissions.") from error
    except UnusableError as problem:
        raise SwirlError(f"{path} {problem}.") from problem
    if not labels:
        raise no_sequences_error(path, report)
    return labels, list(report.summary(path.name))


def require_kind(labels: Sequence[LabelledTransition], kind: str, path: str, data: str) -> None:
    """Raise UsageError unless the states of all labels of the file `path` are of the `kind` of the collection `data`.

    Kinds are "text" and "image".
    """
    other = sum((label.state.picture is None) != (kind == "text") for label in labels)
    if other:
        wrong, right = ("pictures", "texts") if kind == "text" else ("texts", "pictures")
        raise UsageError(
            f"{other} of {len(labels)} labels of {path} have {wrong} as states, but {data} contains {right}; choose "
            f"labels of {right}."
        )


def read_label_records(source: TextFile) -> Iterator[tuple[str, Any]]:
    """Yield each record's place and value: a `.json` file holds a list of them, other files have one per line."""
    document = read_json_document(source, MAX_JSON_BYTES) if source.name.lower().endswith(".json") else None
    if isinstance(document, list):
        yield from ((f"{source.name}[{index}]", record) for index, record in enumerate(document))
    else:
        yield from read_records(source)
