"""What a foreign run.json says, checked value by value before any of it is believed."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from swirl.history.annotations import LONGEST_TAG, MOST_TAGS, tidy_tags
from swirl.history.records import STATUSES
from swirl.history.run_transfer import PAST

TEXT = 20_000
"""The longest text of a run's own, in characters: its note, its error, its name."""
STATE = 4_000_000
"""The longest state or sample: a picture may be written as a `data:` address."""
WHOLE = 2**53
PHASES = ("warm-up", "forward", "inverse")
ALIVE = ("running", "stopping", "queued")


class Wrong(ValueError):
    """What is wrong with a value, in words: `it has no phases`."""


def run_columns(said: Any) -> dict[str, Any]:
    """The columns of a run; one that was still going on is interrupted here, for no process trains it."""
    row = mapping(said, "run")
    columns: dict[str, Any] = {}
    for name in PAST & row.keys():
        value = row[name]
        if name in ("phase_index", "step", "phase_steps", "memory_bytes"):
            columns[name] = None if value is None else whole(value, name)
        elif name in ("created", "started", "finished", "heartbeat"):
            columns[name] = None if value is None else moment(value, name)
        else:
            columns[name] = None if value is None else text(value, name, TEXT)
    if columns.get("status") not in STATUSES or not columns.get("created"):
        raise Wrong("it has a run without a known status or a time")
    if columns["status"] in ALIVE:
        columns["status"] = "stopped" if columns["status"] == "queued" else "interrupted"
    return columns


def phases(said: Any) -> list[dict[str, Any]]:
    """The rows of `phases`."""
    found = []
    for row in rows(said, "phases"):
        times = {"started": moment(row.get("started"), "started")}
        times["finished"] = None if row.get("finished") is None else moment(row["finished"], "finished")
        numbers = {name: whole(row.get(name), name) for name in ("index", "iteration", "steps")}
        found.append({**numbers, "direction": one_of(row.get("direction"), PHASES), **times})
    return distinct(found)


def checkpoints(said: Any) -> list[dict[str, Any]]:
    """The rows of `checkpoints`, but for their paths, which are this home's to give."""
    found = []
    for row in rows(said, "checkpoints"):
        numbers = {name: whole(row.get(name), name) for name in ("index", "iteration")}
        scores = {text(k, "score", 200): number(v, "score") for k, v in mapping(row.get("scores"), "scores").items()}
        words = {"phase": one_of(row.get("phase"), PHASES), "created": moment(row.get("created"), "created")}
        found.append({**numbers, **words, "scores": scores, "best": int(row.get("best") is True)})
    return distinct(found)


def evaluations(said: Any) -> list[dict[str, Any]]:
    """The rows of `evaluations`."""
    return [
        {
            "checkpoint": text(row.get("checkpoint"), "checkpoint", 200),
            "data": text(row.get("data"), "data", 200),
            "metrics": mapping(row.get("metrics"), "metrics"),
            "created": moment(row.get("created"), "created"),
        }
        for row in rows(said, "evaluations")
    ]


def resumptions(said: Any) -> list[dict[str, Any]]:
    """The rows of `resumptions`."""
    return [
        {
            "phase": None if row.get("phase") is None else text(row["phase"], "phase", 100),
            "step": None if row.get("step") is None else whole(row["step"], "step"),
            "created": moment(row.get("created"), "created"),
        }
        for row in rows(said, "resumptions")
    ]


def tags(said: Any) -> tuple[str, ...]:
    """The tags."""
    if not isinstance(said, list) or len(said) > MOST_TAGS:
        raise Wrong("it has too many tags")
    return tidy_tags(text(tag, "tag", LONGEST_TAG) for tag in said)


def figure(line: bytes) -> tuple[int, int, str, float | None]:
    """A line of metrics.jsonl: phase, step, name, value."""
    phase, step, name, value = listed(line, 4)
    known = None if value is None else number(value, "value")
    return whole(phase, "phase"), whole(step, "step"), text(name, "name", 200), known


def rollout(line: bytes) -> tuple[Any, ...]:
    """A line of rollouts.jsonl: phase, step, three texts, and the three lists as JSON."""
    phase, step, *texts, samples, rewards, advantages = listed(line, 8)
    size = {len(column) for column in (samples, rewards, advantages) if isinstance(column, list)}
    if len(size) != 1 or not all(isinstance(column, list) for column in (samples, rewards, advantages)):
        raise Wrong("it has a rollout whose samples, rewards and advantages are not as many")
    lists = (
        [text(sample, "sample", STATE) for sample in samples],
        [number(reward, "reward") for reward in rewards],
        [number(advantage, "advantage") for advantage in advantages],
    )
    states = [text(state, "state", STATE) for state in texts]
    return (whole(phase, "phase"), whole(step, "step"), *states, *(json.dumps(c, ensure_ascii=False) for c in lists))


def listed(line: bytes, length: int) -> list[Any]:
    """A line that is a JSON list of so many values."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise Wrong("it has a line that is no JSON") from error
    if not isinstance(row, list) or len(row) != length:
        raise Wrong(f"it has a line without {length} values")
    return row


def distinct(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows whose `index` is their own."""
    if len({row["index"] for row in found}) < len(found):
        raise Wrong("it counts a phase or a checkpoint twice")
    return found


def rows(said: Any, what: str) -> Iterable[Mapping[str, Any]]:
    """A list of objects."""
    if not isinstance(said, list):
        raise Wrong(f"it has no list of {what}")
    return [mapping(row, what) for row in said]


def mapping(said: Any, what: str) -> dict[str, Any]:
    """An object."""
    if not isinstance(said, dict):
        raise Wrong(f"it has no {what}")
    return said


def text(said: Any, what: str, most: int) -> str:
    """A text of at most so many characters."""
    if not isinstance(said, str) or len(said) > most:
        raise Wrong(f"it has a {what} that is no text, or too long a one")
    return said


def whole(said: Any, what: str) -> int:
    """A whole number from 0."""
    if isinstance(said, bool) or not isinstance(said, int) or not 0 <= said < WHOLE:
        raise Wrong(f"it has a {what} that is no whole number")
    return said


def number(said: Any, what: str) -> float:
    """A number; a score or a reward may be infinite, but is never none."""
    if isinstance(said, bool) or not isinstance(said, int | float) or (isinstance(said, float) and math.isnan(said)):
        raise Wrong(f"it has a {what} that is no number")
    return float(said)


def moment(said: Any, what: str) -> str:
    """A time, as the history writes it."""
    try:
        datetime.fromisoformat(text(said, what, 40))
    except ValueError as error:
        raise Wrong(f"it has a time in {what} that is none") from error
    return said


def one_of(said: Any, allowed: tuple[str, ...]) -> str:
    """One of a few words."""
    if said not in allowed:
        raise Wrong(f"it has a phase that is not one of {', '.join(allowed)}")
    return said
