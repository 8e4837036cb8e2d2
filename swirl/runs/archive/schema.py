"""What a foreign run.json says, checked value by value before any of it is believed."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from swirl.history.annotations import MAX_TAG_LENGTH, MAX_TAGS, tidy_tags
from swirl.history.records import RUN_STATUSES, UNFINISHED_STATUSES
from swirl.history.run_transfer import TRANSFERRED_COLUMNS

MAX_TEXT_LENGTH = 20_000
"""The longest text of a run's own, in characters: its note, its error, its name."""
MAX_STATE_LENGTH = 4_000_000
"""The longest state or sample: a picture may be written as a `data:` address."""
INTEGER_LIMIT = 2**53
PHASES = ("warm-up", "forward", "inverse")


class InvalidRunFileError(ValueError):
    """What is wrong with a value, in words: `it has no phases`."""


def parse_run_columns(said: Any) -> dict[str, Any]:
    """The columns of a run; one that was still going on is interrupted here, for no process trains it."""
    row = require_object(said, "run")
    columns: dict[str, Any] = {}
    for name in TRANSFERRED_COLUMNS & row.keys():
        value = row[name]
        if name in ("phase_index", "step", "phase_steps", "memory_bytes"):
            columns[name] = None if value is None else require_integer(value, name)
        elif name in ("created", "started", "finished", "heartbeat"):
            columns[name] = None if value is None else require_timestamp(value, name)
        else:
            columns[name] = None if value is None else require_text(value, name, MAX_TEXT_LENGTH)
    if columns.get("status") not in RUN_STATUSES or not columns.get("created"):
        raise InvalidRunFileError("it has a run without a known status or a time")
    if columns["status"] in UNFINISHED_STATUSES:
        columns["status"] = "stopped" if columns["status"] == "queued" else "interrupted"
    return columns


def parse_phases(said: Any) -> list[dict[str, Any]]:
    """The rows of `phases`."""
    found = []
    for row in require_objects(said, "phases"):
        times = {"started": require_timestamp(row.get("started"), "started")}
        times["finished"] = None if row.get("finished") is None else require_timestamp(row["finished"], "finished")
        numbers = {name: require_integer(row.get(name), name) for name in ("index", "iteration", "steps")}
        found.append({**numbers, "direction": require_choice(row.get("direction"), PHASES), **times})
    return require_distinct_indices(found)


def parse_checkpoints(said: Any) -> list[dict[str, Any]]:
    """The rows of `checkpoints`, but for their paths, which are this home's to give."""
    found = []
    for row in require_objects(said, "checkpoints"):
        numbers = {name: require_integer(row.get(name), name) for name in ("index", "iteration")}
        scores = {
            require_text(k, "score", 200): require_number(v, "score")
            for k, v in require_object(row.get("scores"), "scores").items()
        }
        words = {
            "phase": require_choice(row.get("phase"), PHASES),
            "created": require_timestamp(row.get("created"), "created"),
        }
        found.append({**numbers, **words, "scores": scores, "best": int(row.get("best") is True)})
    return require_distinct_indices(found)


def parse_evaluations(said: Any) -> list[dict[str, Any]]:
    """The rows of `evaluations`."""
    return [
        {
            "checkpoint": require_text(row.get("checkpoint"), "checkpoint", 200),
            "data": require_text(row.get("data"), "data", 200),
            "metrics": require_object(row.get("metrics"), "metrics"),
            "created": require_timestamp(row.get("created"), "created"),
        }
        for row in require_objects(said, "evaluations")
    ]


def parse_resumptions(said: Any) -> list[dict[str, Any]]:
    """The rows of `resumptions`."""
    return [
        {
            "phase": None if row.get("phase") is None else require_text(row["phase"], "phase", 100),
            "step": None if row.get("step") is None else require_integer(row["step"], "step"),
            "created": require_timestamp(row.get("created"), "created"),
        }
        for row in require_objects(said, "resumptions")
    ]


def parse_tags(said: Any) -> tuple[str, ...]:
    """The tags."""
    if not isinstance(said, list) or len(said) > MAX_TAGS:
        raise InvalidRunFileError("it has too many tags")
    return tidy_tags(require_text(tag, "tag", MAX_TAG_LENGTH) for tag in said)


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
        raise InvalidRunFileError("it has a rollout whose samples, rewards and advantages are not as many")
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
    """A line that is a JSON list of so many values."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InvalidRunFileError("it has a line that is no JSON") from error
    if not isinstance(row, list) or len(row) != length:
        raise InvalidRunFileError(f"it has a line without {length} values")
    return row


def require_distinct_indices(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows whose `index` is their own."""
    if len({row["index"] for row in found}) < len(found):
        raise InvalidRunFileError("it counts a phase or a checkpoint twice")
    return found


def require_objects(said: Any, what: str) -> Iterable[Mapping[str, Any]]:
    """A list of objects."""
    if not isinstance(said, list):
        raise InvalidRunFileError(f"it has no list of {what}")
    return [require_object(row, what) for row in said]


def require_object(said: Any, what: str) -> dict[str, Any]:
    """An object."""
    if not isinstance(said, dict):
        raise InvalidRunFileError(f"it has no {what}")
    return said


def require_text(said: Any, what: str, most: int) -> str:
    """A text of at most so many characters."""
    if not isinstance(said, str) or len(said) > most:
        raise InvalidRunFileError(f"it has a {what} that is no text, or too long a one")
    return said


def require_integer(said: Any, what: str) -> int:
    """A whole number from 0."""
    if isinstance(said, bool) or not isinstance(said, int) or not 0 <= said < INTEGER_LIMIT:
        raise InvalidRunFileError(f"it has a {what} that is no whole number")
    return said


def require_number(said: Any, what: str) -> float:
    """A number; a score or a reward may be infinite, but is never none."""
    if isinstance(said, bool) or not isinstance(said, int | float) or (isinstance(said, float) and math.isnan(said)):
        raise InvalidRunFileError(f"it has a {what} that is no number")
    return float(said)


def require_timestamp(said: Any, what: str) -> str:
    """A time, as the history writes it."""
    try:
        datetime.fromisoformat(require_text(said, what, 40))
    except ValueError as error:
        raise InvalidRunFileError(f"it has a time in {what} that is none") from error
    return said


def require_choice(said: Any, allowed: tuple[str, ...]) -> str:
    """One of a few words."""
    if said not in allowed:
        raise InvalidRunFileError(f"it has a phase that is not one of {', '.join(allowed)}")
    return said
