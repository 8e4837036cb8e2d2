"""Reads an experiment of the user's own from a TOML file."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from pathlib import Path
from typing import Any, get_type_hints

from swirl.errors import UsageError
from swirl.experiments.catalog import EXPERIMENTS
from swirl.experiments.grid import OwnMethod, Plan, Problem, check_plan
from swirl.experiments.preparation import check_regimes
from swirl.experiments.settings_of_cells import UNPREPARED, cell_settings
from swirl.presets import get_preset

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")

LARGEST = 2**31 - 1
"""Of seeds and sizes: the largest seed of a run."""

CHOSEN_ELSEWHERE = {
    "method": "`methods`",
    "seed": "`seeds`",
    "data": "`data` or `world` of each problem",
    "model": "`model` of each problem",
    "labels": "`labels` of each problem",
    "test_at_end": "`test_at_end` of the experiment",
    "best_of": "`methods`",
}
"""Settings that are not for [settings] and for those of a problem, and what chooses them: there they had no effect, or
made one method of all."""


def read_plan(path: Path) -> Plan:
    """The plan in a file; its name is that of the file unless it gives one.

    Raises UsageError in one sentence that names the file, the place in it and what is allowed.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"The experiment file {path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"The experiment file {path} is not UTF-8 text (byte {error.start}).") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"The experiment file {path} is not TOML: {error}.") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(
            f"The experiment file {path} has a number of too many digits, or brackets within brackets without end; "
            "correct it."
        ) from error
    if place := find_null(values):
        raise UsageError(f"{path}: {place} holds a NUL character, which no name and no path can have; remove it.")
    values.setdefault("name", path.stem)
    values.setdefault("title", values["name"])
    values.setdefault("question", "")
    try:
        plan = parse_plan(values, path.resolve().parent)
        check_plan(plan)
        check_regimes(plan.problems)
        check_method_settings(plan)
        check_settings(plan)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error
    return plan


def find_null(value: Any, place: str = "the file") -> str:
    """The key of the first text or key with a NUL character in it; empty if there is none."""
    if isinstance(value, dict):
        if any("\0" in key for key in value):
            return f"a key of {place}"
        return next(filter(None, (find_null(item, key) for key, item in value.items())), "")
    if isinstance(value, list):
        return next(filter(None, (find_null(item, place) for item in value)), "")
    return place if isinstance(value, str) and "\0" in value else ""


def parse_plan(values: dict[str, Any], folder: Path) -> Plan:
    """The plan of a parsed file; paths in it are relative to `folder`."""
    if not isinstance(values["name"], str) or not NAME.fullmatch(values["name"]):
        raise UsageError(f"name={values['name']!r} must be lower-case letters, digits and dashes.")
    if values["name"] in EXPERIMENTS:
        raise UsageError(
            f"{values['name']} is the name of an experiment that comes with the program; give the file another name."
        )
    problems = require_tables(values, "problems")
    methods = require_tables(values, "own_methods", optional=True)
    rest = {key: value for key, value in values.items() if key not in ("problems", "own_methods")}
    fields = checked_fields(Plan, rest, "the experiment")
    for name, kind in (("methods", str), ("seeds", int), ("sizes", int)):
        if name in fields:
            fields[name] = require_list(name, fields[name], kind)
    if "methods" not in fields:
        raise UsageError("it has no methods; give a list such as methods = ['warm-up', 'sft', 'paper'].")
    return Plan(
        problems=tuple(parse_problem(row, number, folder) for number, row in enumerate(problems, start=1)),
        own_methods=tuple(
            OwnMethod(**checked_fields(OwnMethod, row, f"own_methods {number}"))
            for number, row in enumerate(methods, start=1)
        ),
        **fields,
    )


def parse_problem(row: dict[str, Any], number: int, folder: Path) -> Problem:
    """A problem; its name is that of its world and regime, or its data, unless it gives one."""
    fields = checked_fields(Problem, row, f"problems {number}")
    parts = [fields.get("world"), fields.get("regime")] if fields.get("world") else [fields.get("data")]
    fields.setdefault("name", "-".join(part for part in parts if part) or f"problem-{number}")
    if "preset" not in fields:
        raise UsageError(f"problems {number} ({fields['name']}) has no preset; name one, such as tiny-household-paper.")
    if fields.get("labels"):
        try:
            fields["labels"] = str((folder / Path(fields["labels"]).expanduser()).resolve())
        except RuntimeError as error:  # there is no such user, or links that lead to themselves
            raise UsageError(f"problems {number} has labels={fields['labels']!r}: no such path; correct it.") from error
    for method, changes in fields.get("method_settings", {}).items():
        if not isinstance(changes, dict):
            raise UsageError(
                f"problems {number} has {method}={changes!r} in its method_settings; it takes a table of settings."
            )
    return Problem(**fields)


def checked_fields(kind: type, row: dict[str, Any], where: str) -> dict[str, Any]:
    """The entries of a table, which must be fields of a dataclass and of its types."""
    names = {f.name: f for f in dataclasses.fields(kind)}
    hints = get_type_hints(kind)
    for key, value in row.items():
        if key not in names:
            raise UsageError(f"{where} has the unknown key {key!r}; it takes: {', '.join(names)}.")
        hint = str(hints[key])
        if hint == "<class 'bool'>":
            if not isinstance(value, bool):
                raise UsageError(f"{where} has {key}={value!r}; it takes true or false.")
            continue
        if isinstance(value, bool) or (hint in ("<class 'str'>", "str | None") and not isinstance(value, str)):
            raise UsageError(f"{where} has {key}={value!r}; it takes text.")
        if hint == "<class 'int'>" and not isinstance(value, int):
            raise UsageError(f"{where} has {key}={value!r}; it takes a whole number.")
        if hint == "<class 'float'>" and not isinstance(value, int | float):
            raise UsageError(f"{where} has {key}={value!r}; it takes a number.")
        if "Mapping" in hint and not isinstance(value, dict):
            raise UsageError(f"{where} has {key}={value!r}; it takes a table of settings.")
    required = [
        n
        for n, f in names.items()
        if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING and kind is OwnMethod
    ]
    missing = [name for name in required if name not in row]
    if missing:
        raise UsageError(f"{where} has no {missing[0]}; give it.")
    return dict(row)


def require_tables(values: dict[str, Any], name: str, *, optional: bool = False) -> list[dict[str, Any]]:
    """A list of tables. Raises UsageError if it is something else, or missing without being optional."""
    tables = values.get(name, [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise UsageError(f"{name} must be tables, each begun with [[{name}]].")
    if not tables and not optional:
        raise UsageError(f"it has no {name}; begin one with [[{name}]].")
    return tables


def require_list(name: str, value: Any, kind: type) -> tuple[Any, ...]:
    """A list of texts or of whole numbers from 0."""
    if not isinstance(value, list) or not all(isinstance(v, kind) and not isinstance(v, bool) for v in value):
        raise UsageError(f"{name}={value!r} must be a list of {'texts' if kind is str else 'whole numbers'}.")
    if kind is int and any(v < 0 for v in value):
        raise UsageError(f"{name}={value!r} must not hold a number below 0.")
    if kind is int and any(v > LARGEST for v in value):
        raise UsageError(f"{name}={value!r} must not hold a number above {LARGEST}.")
    return tuple(value)


def check_method_settings(plan: Plan) -> None:
    """Raises UsageError for settings of a problem that no method of the plan would take: a name may be mistyped."""
    known = {*plan.methods, *(own.name for own in plan.own_methods), *(own.based_on for own in plan.own_methods)}
    for problem in plan.problems:
        for name in problem.method_settings:
            if name not in known:
                raise UsageError(
                    f"The method_settings of the problem {problem.name!r} name {name!r}, which is no method of this "
                    f"experiment; its methods are: {', '.join(plan.methods)}."
                )


def check_settings(plan: Plan) -> None:
    """Raises UsageError for a setting that does not exist or is out of range in any run, before anything is made."""
    for problem in plan.problems:
        preset = get_preset(problem.preset).settings
        for settings, where in ((plan.settings, "settings"), (problem.settings, f"settings of {problem.name}")):
            for name, instead in CHOSEN_ELSEWHERE.items():
                if name in settings:
                    raise UsageError(f"The {where} hold {name}, which is chosen by {instead} here; remove it there.")
            preset.replace(dict(settings))
        for name, changes in problem.method_settings.items():
            if "method" in changes:
                raise UsageError(
                    f"The method_settings of {problem.name} make another method of {name}; remove method there, or "
                    "define one of its own with [[own_methods]]."
                )
            preset.replace(dict(changes))
    for cell in plan.cells():
        try:
            cell_settings(plan, cell, UNPREPARED)
        except UsageError as error:
            raise UsageError(f"{cell.method} on the problem {cell.problem!r}: {error}") from error
