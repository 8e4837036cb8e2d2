"""AURORA-Bench (Krojer et al. 2024): a picture, an instruction, and for most tasks the picture that should come out.

The layout is the benchmark's own: `test.json`, a list of `{"task", "input", "instruction", "output"?, "id"?}` whose
pictures are paths from the benchmark's folder, and for DiscEdit `disc_edit_data/<task>/valid.json` and
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
"""The files of DiscEdit; whatsup's is the second."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One instruction: what should become of `input`; `output` is None where there is no target picture.

    `where` is its place in test.json.
    """

    task: str
    id: str
    input: Picture
    instruction: str
    output: Picture | None
    where: str


@dataclass(frozen=True, slots=True)
class EditChoice:
    """One row of DiscEdit: `pos` asks for what `input` shows already, `neg` for a change."""

    task: str
    id: str
    input: Picture
    pos: str
    neg: str


class _MissingPicture(UnusableError):
    """A picture that a row names is not there."""

    def __init__(self, path: str, task: str) -> None:
        super().__init__(f"cannot be found; copy the pictures of {task} there")
        self.path = path


def is_aurora(path: Path) -> bool:
    """Whether a path is the folder of the benchmark."""
    if not os.path.isfile(path / TEST_FILE):  # false too where the folder may not be entered
        return False
    try:
        document = load_rows(path, TEST_FILE)
    except SwirlError:
        return False
    return bool(document) and isinstance(document[0], dict) and {"task", "input", "instruction"} <= document[0].keys()


def read_edits(folder: Path) -> tuple[list[Edit], list[Skipped]]:
    """The rows of test.json whose picture is there, and what is missing, row by row.

    A row without its target picture is kept, with None for it, and reported as well. Raises SwirlError if test.json
    cannot be read.
    """
    edits: dict[str, Edit] = {}
    skipped: list[Skipped] = []
    for index, record in enumerate(load_rows(folder, TEST_FILE)):
        where = f"{TEST_FILE}[{index}]"
        try:
            edit = parse_edit(folder, where, index, record)
            if edit.id in edits:
                raise UnusableError(f"repeats the id {edit.id!r} of {edits[edit.id].where}; give it an id of its own")
            edits[edit.id] = edit
            edits[edit.id] = replace(edit, output=target_picture(folder, edit.task, record))
        except UnusableError as problem:
            skipped.append(skipped_row(where, problem))
    return list(edits.values()), skipped


def parse_edit(folder: Path, where: str, index: int, record: Any) -> Edit:
    """One row without its target, or Unusable says what is wrong with it."""
    if not isinstance(record, dict):
        raise UnusableError(
            f'is {json_type_name(record)}, not an object with "task", "input" and "instruction"; correct it'
        )
    task, instruction = (validate_text(record.get(name), f'"{name}"') for name in ("task", "instruction"))
    shown = find_picture(folder, task, record.get("input"), "input")
    return Edit(task, row_id(task, index, record), shown, instruction, None, where)


def target_picture(folder: Path, task: str, record: dict[str, Any]) -> Picture:
    """The picture that should come out of a row, or Unusable says why there is none."""
    if not record.get("output"):
        raise UnusableError(f"cannot be held against a target picture, for {task} names none")
    return find_picture(folder, task, record["output"], "output")


def read_edit_choices(folder: Path) -> tuple[list[EditChoice], list[Skipped]]:
    """The rows of DiscEdit, all tasks, whose picture is there, and what is missing, row by row.

    Rows without `pos` are no choices and are passed over, and `neg` falls back to `prompt`, both as in the benchmark.
    Raises SwirlError if there is no such file, or one cannot be read.
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
    """One row, nothing if it has no `pos`, or Unusable says what is wrong with it."""
    if not isinstance(record, dict):
        raise UnusableError(
            f"is {json_type_name(record)}, not an object with a picture and two instructions; correct it"
        )
    if record.get("pos") is None:
        return []
    pos = validate_text(record["pos"], '"pos"')
    neg = validate_text(record["neg"] if "neg" in record else record.get("prompt"), '"neg"')
    shown = find_picture(folder, task, record["image"] if "image" in record else record.get("input"), "input")
    return [EditChoice(task, row_id(task, index, record), shown, pos, neg)]


def row_id(task: str, index: int, record: dict[str, Any]) -> str:
    """`task/id`; a row without an id has its place in the file for it."""
    given = record.get("id")
    return f"{task}/{index if given is None else given}"


def find_picture(folder: Path, task: str, path: Any, what: str) -> Picture:
    """The picture that a row names, or Unusable says why it cannot be used.

    DiscEdit names some pictures by the folder they had before the benchmark gathered them in `data/<task>/images`.
    """
    name = PurePosixPath(validate_text(path, f'"{what}"'))
    if name.is_absolute() or ".." in name.parts:
        raise UnusableError(f'has a path that leads out of the folder as "{what}"; correct it')
    gathered = PurePosixPath(*name.parts[:2], "images", *name.parts[3:])
    for place in (name, gathered):
        if (folder / place).is_file():
            return Picture(file=folder / place)
    raise _MissingPicture(str(name), task)


def skipped_row(where: str, problem: UnusableError) -> Skipped:
    """What is wrong with a row, at the picture that is not there if that is it."""
    return Skipped(f"{where}: {problem.path}" if isinstance(problem, _MissingPicture) else where, str(problem))


def load_rows(folder: Path, name: str) -> list[Any]:
    """The records of a file of the benchmark. Raises SwirlError if it cannot be read or is no list."""
    file = folder / name
    try:
        with open_text(file, name, Meter(1)) as source:
            document = read_json_document(source)
    except UnusableError as problem:
        raise SwirlError(f"{file} {problem}.") from problem
    if not isinstance(document, list):
        raise SwirlError(f"{file} is no JSON list of the benchmark's rows; copy it again.")
    return document
