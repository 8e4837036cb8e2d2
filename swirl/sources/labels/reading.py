"""Labelled transitions for the supervised warm-up, of texts or of pictures, in any of the forms of `layouts`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from swirl.errors import SwirlError
from swirl.sources.formats.jsonl import records, whole_document
from swirl.sources.labels.layouts import KEYS, labels_in
from swirl.sources.reading import Report, nothing_in
from swirl.sources.text_lines import Meter, TextFile, is_regular, open_text
from swirl.sources.validation import Skipped, Unusable
from swirl.states import LabelledTransition

LONGEST = 2**29
"""The largest `.json` file of labels, in bytes."""


def read_labels(path: Path) -> tuple[list[LabelledTransition], list[Skipped]]:
    """The labelled transitions of a file and what was left out of it. Raises SwirlError if there is none at all.

    Paths of pictures are relative to the file; of a picture only the head is read.
    """
    report = Report()
    labels: list[LabelledTransition] = []
    try:
        if not path.exists():
            raise SwirlError(f"There is no file {path} with labels; check the path.")
        if not is_regular(path):
            raise SwirlError(f"{path} is no file; labels are a JSONL file with {', '.join(KEYS)} in each line.")
        with open_text(path, path.name, Meter(path.stat().st_size)) as source:
            for where, record in entries(source):
                try:
                    for label in labels_in(record, path.parent):
                        if isinstance(label, Unusable):
                            report.add(Skipped(where, str(label)))
                        else:
                            labels.append(label)
                except Unusable as problem:
                    report.add(Skipped(where, str(problem)))
    except OSError as error:
        raise SwirlError(f"{path} cannot be read ({error.strerror or error}); check its permissions.") from error
    except Unusable as problem:
        raise SwirlError(f"{path} {problem}.") from problem
    if not labels:
        raise nothing_in(path, report)
    return labels, list(report.all(path.name))


def entries(source: TextFile) -> Iterator[tuple[str, Any]]:
    """Each record's place and value: a `.json` file is a list of them, any other has one a line."""
    document = whole_document(source, LONGEST) if source.name.lower().endswith(".json") else None
    if isinstance(document, list):
        yield from ((f"{source.name}[{index}]", record) for index, record in enumerate(document))
    else:
        yield from records(source)
