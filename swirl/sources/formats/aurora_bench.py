"""Reads AURORA-Bench (Krojer et al. 2024): a picture, an instruction and, for most tasks, a target picture.

The layout is the benchmark's own. `test.json` is a list of `{"task", "input", "instruction", "output"?, "id"?}`, whose
pictures are paths relative to the benchmark's folder. DiscEdit adds `disc_edit_data/<task>/valid.json` and
`disc_edit_data/whatsup/itm_test.json`, lists of a picture with two instructions.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from swirl.errors import SwirlError
from swirl.sources.formats.jsonl import read_json_document
from swirl.sources.text_lines import Meter, open_text
from swirl.sources.validation import Skipped, UnusableError, json_type_name, validate_text
from swirl.states import Picture

TEST_FILE = "test.json"
DISC_EDIT = "disc_edit_data"
CHOICE_FILES = ("valid.json", "itm_test.json")
"""The file names of DiscEdit; the second is that of the whatsup task."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One row of test.json: `instruction` says how `input` should change; `output` is the target picture or None.

    `where` is the row's place in test.json.
    """

    task: str
    id: str
    input: Picture
    instruction: str
    output: Picture | None
    where: str


@dataclass(frozen=True, slots=True)
class EditChoice:
    """One row of DiscEdit: `pos` asks for what `input` already shows, `neg` for a change."""

    task: str
    id: str
    input: Picture
    pos: str
    neg: str


class _MissingPicture(UnusableError):
    """A picture that a row names does not exist."""

    def __init__(self, path: str, task: str) -> None:
        super().__init__(f"cannot be found; copy the pictures of {task} there")
        self.path = path


def is_aurora(path: Path) -> bool:
    """Whether a path is the benchmark's folder."""
    if not os.path.isfile(path / TEST_FILE):  # also false if the folder cannot be entered
        return False
    try:
        document = load_rows(path, TEST_FILE)
    except SwirlError:
        return False
    return bool(document) and isinstance(document[0], dict) and {"task", "input", "instruction"} <= document[0].keys()


def read_edits(folder: Path) -> tuple[list[Edit], list[Skipped]]:
    """The rows of test.json whose input picture exists, and what is missing, row by row.

    A row without its target picture is kept, with None as its output, and reported too. Raises SwirlError if test.json
    cannot be read.
    """
    edits: dict[str, Edit] = {}
    skipped: list[Skipped] = []
    for index, record in enumerate(load_rows(folder, TEST_FILE)):
        where = f"{TEST_FILE}[{index}]"
        try:
            edit = parse_edit(folder, where, index, record)
            if edit.id in edits:
                raise UnusableError(f"repeats the id {edit.id!r} of {edits[edit.id].where}; give it a unique id")
            edits[edit.id] = edit
            edits[edit.id] = replace(edit, output=target_picture(folder, edit.task, record))
        except UnusableError as problem:
            skipped.append(skipped_row(where, problem))
    return list(edits.values()), skipped


def parse_edit(folder: Path, where: str, index: int, record: Any) -> Edit:
    """Parse one row without its target. Raises UnusableError if the row is not valid."""
    if not isinstance(record, dict):
        raise UnusableError(
            f'is {json_type_name(record)}, not an object with "task", "input" and "instruction"; correct it'
        )
    task, instruction = (validate_text(record.get(name), f'"{name}"') for name in ("task", "instruction"))
    picture = find_picture(folder, task, record.get("input"), "input")
    return Edit(task, row_id(task, index, record), picture, instruction, None, where)


def target_picture(folder: Path, task: str, record: dict[str, Any]) -> Picture:
    """The target picture of a row. Raises UnusableError if it has none."""
    if not record.get("output"):
        raise UnusableError(f"cannot be compared with a target picture, because {task} names none")
    return find_picture(folder, task, record["output"], "output")


def read_edit_choices(folder: Path) -> tuple[list[EditChoice], list[Skipped]]:
    """The rows of all DiscEdit tasks whose picture exists, and what is missing, row by row.

    As in the benchmark, rows without `pos` are passed over and `neg` falls back to `prompt`. Raises SwirlError if there
    is no such file or one cannot be read.
    """
    files = sorted(file for name in CHOICE_FILES for file in (folder / DISC_EDIT).glob(f"*/{name}"))
    if not files:
        raise SwirlError(f"{folder} has no {DISC_EDIT}/TASK/{CHOICE_FILES[0]}; name the folder of AURORA-Bench.")
    choices: list[EditChoice] = []
    skipped: list[Skipped] = []
    for file in files:
        name = file.relative_to(folder).as_posix()
        for index, record in enumerate(load_rows(folder, name)):
            try:
                choices += parse_edit_choices(folder, file.parent.name, index, record)
            except UnusableError as problem:
                skipped.append(skipped_row(f"{name}[{index}]", problem))
    return choices, skipped


def parse_edit_choices(folder: Path, task: str, index: int, record: Any) -> list[EditChoice]:
    """Parse one row into a list of one choice, or none if it has no `pos`. Raises UnusableError if it is not valid."""
    if not isinstance(record, dict):
        raise UnusableError(
            f"is {json_type_name(record)}, not an object with a picture and two instructions; correct it"
        )
    if record.get("pos") is None:
        return []
    pos = validate_text(record["pos"], '"pos"')
    neg = validate_text(record["neg"] if "neg" in record else record.get("prompt"), '"neg"')
    picture = find_picture(folder, task, record["image"] if "image" in record else record.get("input"), "input")
    return [EditChoice(task, row_id(task, index, record), picture, pos, neg)]


def row_id(task: str, index: int, record: dict[str, Any]) -> str:
    """`task/id`; the row's index in the file stands in for a missing id."""
    given = record.get("id")
    return f"{task}/{index if given is None else given}"


def find_picture(folder: Path, task: str, path: Any, what: str) -> Picture:
    """The picture that a row names. Raises UnusableError if it cannot be used.

    DiscEdit names some pictures by the folder they were in before the benchmark moved them to `data/<task>/images`.
    """
    name = PurePosixPath(validate_text(path, f'"{what}"'))
    if name.is_absolute() or ".." in name.parts:
        raise UnusableError(f'has a path that points outside the folder as "{what}"; correct it')
    gathered = PurePosixPath(*name.parts[:2], "images", *name.parts[3:])
    for place in (name, gathered):
        if (folder / place).is_file():
            return Picture(file=folder / place)
    raise _MissingPicture(str(name), task)


def skipped_row(where: str, problem: UnusableError) -> Skipped:
    """The Skipped of a row; its place includes the picture if that is missing."""
    return Skipped(f"{where}: {problem.path}" if isinstance(problem, _MissingPicture) else where, str(problem))


def load_rows(folder: Path, name: str) -> list[Any]:
    """The records of a benchmark file. Raises SwirlError if it cannot be read or is not a list."""
    file = folder / name
    try:
        with open_text(file, name, Meter(1)) as source:
            document = read_json_document(source)
    except UnusableError as problem:
        raise SwirlError(f"{file} {problem}.") from problem
    if not isinstance(document, list):
        raise SwirlError(f"{file} is not a JSON list of the benchmark's rows; copy it again.")
    return document
