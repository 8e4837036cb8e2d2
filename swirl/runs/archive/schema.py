"""Validates a run.json from elsewhere, value by value."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, get_args

from swirl.history.annotations import MAX_TAG_LENGTH, MAX_TAGS, tidy_tags
from swirl.history.records import RUN_STATUSES, UNFINISHED_STATUSES
from swirl.history.run_transfer import TRANSFERRED_COLUMNS
from swirl.sources.collections.split import Split

MAX_TEXT_LENGTH = 20_000
"""The longest text of a run, such as its note, error or name, in characters."""
MAX_STATE_LENGTH = 4_000_000
"""The longest state or sample, in characters; a picture may be a `data:` URL."""
INTEGER_LIMIT = 2**53
PHASES = ("warm-up", "forward", "inverse")
PARTS = (*get_args(Split), "all")


class InvalidRunFileError(ValueError):
    """A value is not valid. The message is a clause such as `it has no phases`."""


def parse_run_columns(value: Any) -> dict[str, Any]:
    """The columns of a run; an unfinished run becomes stopped or interrupted, as no process here trains it."""
    row = require_object(value, "run")
    columns: dict[str, Any] = {}
    for name in TRANSFERRED_COLUMNS & row.keys():
        value = row[name]
        if name in ("phase_index", "step", "phase_steps", "memory_bytes", "threads"):
            columns[name] = None if value is None else require_integer(value, name)
        elif name == "advised_changes":
            columns[name] = json.dumps({key: require_scalar(v, name) for key, v in require_object(value, name).items()})
        elif name in ("created", "started", "finished", "heartbeat"):
            columns[name] = None if value is None else require_timestamp(value, name)
        else:
            columns[name] = None if value is None else require_text(value, name, MAX_TEXT_LENGTH)
    if columns.get("status") not in RUN_STATUSES or not columns.get("created"):
        raise InvalidRunFileError("it has a run without a known status or a time")
    if columns["status"] in UNFINISHED_STATUSES:
        columns["status"] = "stopped" if columns["status"] == "queued" else "interrupted"
    return columns


def parse_phases(value: Any) -> list[dict[str, Any]]:
    """The rows of `phases`."""
    rows = []
    for row in require_objects(value, "phases"):
        times = {"started": require_timestamp(row.get("started"), "started")}
        times["finished"] = None if row.get("finished") is None else require_timestamp(row["finished"], "finished")
        numbers = {name: require_integer(row.get(name), name) for name in ("index", "iteration", "steps")}
        rows.append({**numbers, "direction": require_choice(row.get("direction"), PHASES), **times})
    return require_distinct_indices(rows)


def parse_checkpoints(value: Any) -> list[dict[str, Any]]:
    """The rows of `checkpoints` without paths, which depend on this home; `weights` tells whether the file has them."""
    rows = []
    for row in require_objects(value, "checkpoints"):
        numbers = {name: require_integer(row.get(name), name) for name in ("index", "iteration")}
        scores = {
            require_text(k, "score", 200): require_number(v, "score")
            for k, v in require_object(row.get("scores"), "scores").items()
        }
        words = {
            "phase": require_choice(row.get("phase"), PHASES),
            "created": require_timestamp(row.get("created"), "created"),
        }
        flags = {"best": int(row.get("best") is True), "weights": row.get("weights") is not False}
        rows.append({**numbers, **words, "scores": scores, **flags})
    return require_distinct_indices(rows)


def parse_evaluations(value: Any) -> list[dict[str, Any]]:
    """The rows of `evaluations`."""
    return [
        {
            "checkpoint": require_text(row.get("checkpoint"), "checkpoint", 200),
            "data": require_text(row.get("data"), "data", 200),
            "metrics": require_object(row.get("metrics"), "metrics"),
            "created": require_timestamp(row.get("created"), "created"),
            "part": None if row.get("part") is None else require_choice(row["part"], PARTS),
            "at_end": int(row.get("at_end") is True),
            "cases": None if row.get("cases") is None else parse_cases(row["cases"]),
        }
        for row in require_objects(value, "evaluations")
    ]


def parse_cases(value: Any) -> dict[str, Any]:
    """The results of an evaluation per transition: the sequence and step of each, and the values of each metric."""
    cases = require_object(value, "results per transition")
    places = cases.get("places")
    if not isinstance(places, list) or not all(isinstance(place, list) and len(place) == 2 for place in places):
        raise InvalidRunFileError("it has results per transition without their places")
    columns = require_object(cases.get("values"), "values per transition")
    if any(not isinstance(column, list) or len(column) != len(places) for column in columns.values()):
        raise InvalidRunFileError("it has a metric without one value per transition")
    return {
        "places": [
            [require_text(sequence, "sequence", MAX_TEXT_LENGTH), require_integer(step, "step")]
            for sequence, step in places
        ],
        "values": {
            require_text(name, "metric", 200): [None if v is None else require_number(v, "value") for v in column]
            for name, column in columns.items()
        },
    }


def parse_experiment(value: Any) -> tuple[str, str] | None:
    """The experiment and the cell of its grid that the run is for; None if it is for none, or the file is old."""
    if value is None:
        return None
    row = require_object(value, "experiment")
    return require_text(row.get("name"), "experiment", 200), require_text(row.get("cell"), "cell", 500)


def parse_resumptions(value: Any) -> list[dict[str, Any]]:
    """The rows of `resumptions`."""
    return [
        {
            "phase": None if row.get("phase") is None else require_text(row["phase"], "phase", 100),
            "step": None if row.get("step") is None else require_integer(row["step"], "step"),
            "created": require_timestamp(row.get("created"), "created"),
        }
        for row in require_objects(value, "resumptions")
    ]


def parse_tags(value: Any) -> tuple[str, ...]:
    """The tags."""
    if not isinstance(value, list) or len(value) > MAX_TAGS:
        raise InvalidRunFileError("it has too many tags")
    return tidy_tags(require_text(tag, "tag", MAX_TAG_LENGTH) for tag in value)


def parse_metric_line(line: bytes) -> tuple[int, int, str, float | None]:
    """A line of metrics.jsonl: phase, step, name, value."""
    phase, step, name, value = parse_json_list(line, 4)
    known = None if value is None else require_number(value, "value")
    return require_integer(phase, "phase"), require_integer(step, "step"), require_text(name, "name", 200), known


def parse_rollout_line(line: bytes) -> tuple[Any, ...]:
    """A line of rollouts.jsonl: phase, step, three texts, and the three lists as JSON."""
    phase, step, *texts, samples, rewards, advantages = parse_json_list(line, 8)
    size = {len(column) for column in (samples, rewards, advantages) if isinstance(column, list)}
    if len(size) != 1 or not all(isinstance(column, list) for column in (samples, rewards, advantages)):
        raise InvalidRunFileError("it has a rollout with unequal numbers of samples, rewards and advantages")
    lists = (
        [require_text(sample, "sample", MAX_STATE_LENGTH) for sample in samples],
        [require_number(reward, "reward") for reward in rewards],
        [require_number(advantage, "advantage") for advantage in advantages],
    )
    states = [require_text(state, "state", MAX_STATE_LENGTH) for state in texts]
    return (
        require_integer(phase, "phase"),
        require_integer(step, "step"),
        *states,
        *(json.dumps(c, ensure_ascii=False) for c in lists),
    )


def parse_json_list(line: bytes, length: int) -> list[Any]:
    """Parse a line that is a JSON list of `length` values."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InvalidRunFileError("it has a line that is not JSON") from error
    if not isinstance(row, list) or len(row) != length:
        raise InvalidRunFileError(f"it has a line without {length} values")
    return row


def require_distinct_indices(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Require that no two rows have the same `index`."""
    if len({row["index"] for row in rows}) < len(rows):
        raise InvalidRunFileError("it has two phases or checkpoints with the same index")
    return rows


def require_objects(value: Any, what: str) -> Iterable[Mapping[str, Any]]:
    """Require a list of objects."""
    if not isinstance(value, list):
        raise InvalidRunFileError(f"it has no list of {what}")
    return [require_object(row, what) for row in value]


def require_object(value: Any, what: str) -> dict[str, Any]:
    """Require an object."""
    if not isinstance(value, dict):
        raise InvalidRunFileError(f"it has no {what}")
    return value


def require_scalar(value: Any, what: str) -> str | float | bool | None:
    """Require a text, a number, a truth value or null."""
    if isinstance(value, str):
        return require_text(value, what, MAX_TEXT_LENGTH)
    return value if value is None or isinstance(value, int) else require_number(value, what)


def require_text(value: Any, what: str, most: int) -> str:
    """Require a text of at most `most` characters."""
    if not isinstance(value, str) or len(value) > most:
        raise InvalidRunFileError(f"it has a {what} that is not text or is too long")
    return value


def require_integer(value: Any, what: str) -> int:
    """Require a whole number of at least 0."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < INTEGER_LIMIT:
        raise InvalidRunFileError(f"it has a {what} that is not a whole number")
    return value


def require_number(value: Any, what: str) -> float:
    """Require a number, which may be infinite but not NaN."""
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or (isinstance(value, float) and math.isnan(value))
    ):
        raise InvalidRunFileError(f"it has a {what} that is not a number")
    return float(value)


def require_timestamp(value: Any, what: str) -> str:
    """Require an ISO 8601 time, as the history writes it."""
    try:
        datetime.fromisoformat(require_text(value, what, 40))
    except ValueError as error:
        raise InvalidRunFileError(f"it has a time in {what} that is not valid") from error
    return value


def require_choice(value: Any, allowed: tuple[str, ...]) -> str:
    """Require one of the allowed values."""
    if value not in allowed:
        raise InvalidRunFileError(f"it has a phase that is not one of {', '.join(allowed)}")
    return value
