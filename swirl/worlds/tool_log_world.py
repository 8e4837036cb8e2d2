"""Tool logs (tau-bench, ToolBench) as a world: an episode is a run of logged calls.

Answers are long, so they are shortened for small models: compact JSON, cut after MAX_ANSWER_LENGTH characters.
`swirl import` reads the same files in full.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import random
from pathlib import Path
from typing import Any

from swirl.errors import SwirlError, UsageError
from swirl.sources.formats.agent_logs import detect_layout
from swirl.sources.formats.tool_log_sequences import load_logs, log_files
from swirl.sources.formats.tool_logs import ToolLog, load_json_file
from swirl.states import State
from swirl.worlds.base import SEQUENCES_PER_SEED, Episode, is_held_out_seed, make_episode

MAX_ANSWER_LENGTH = 200
"""The number of characters of an answer that are kept."""
HELD_OUT_EVERY = 4
"""One task in four is reserved for held-out seeds."""


class ToolWorld:
    """The world `tau-bench` or `toolbench`, read from a file or folder.

    Raises SwirlError if there is no log with that layout.
    """

    def __init__(self, name: str, source: Path) -> None:
        self.name = name
        files = [file for file in log_files(source.expanduser()) if file.suffix.lower() == ".json"]
        logs = [
            log
            for file in files
            if detect_layout(load_json_file(file)) == name
            for log in load_logs(file, source.expanduser())
        ]
        if not logs:
            raise SwirlError(f"{source} contains no {name} log; choose such a file, or a folder of such .json files.")
        self.logs = {unseen: [log for log in logs if is_held_out_log(log) == unseen] for unseen in (False, True)}

    def episode(self, seed: int, length: int) -> Episode:
        """At most `length` calls of the log at the seed's place in the recording's shuffled order.

        Raises UsageError if there are fewer logs than episodes, as each log is played once.
        """
        recording, place = divmod(seed, SEQUENCES_PER_SEED)
        pieces = [piece for log in self.logs[is_held_out_seed(seed)] for piece in split_log(log, length)]
        if place >= len(pieces):
            part = "held-out" if is_held_out_seed(seed) else "training"
            raise UsageError(f"The log has {len(pieces)} {part} sequences; ask for at most as many with --sequences.")
        random.Random(f"{self.name}-{recording}").shuffle(pieces)
        states, actions = pieces[place]
        return make_episode([State(state) for state in states], actions)


def split_log(log: ToolLog, length: int) -> list[tuple[list[str], list[str]]]:
    """Split a log into pieces of at most `length` calls, each as its states and calls."""
    pieces = []
    for start in range(0, len(log.steps), length):
        steps = log.steps[start : start + length]
        states = [shorten_message(steps[0].context), *(shorten_message(step.observation) for step in steps)]
        pieces.append((states, [step.call for step in steps]))
    return pieces


def is_held_out_log(log: ToolLog) -> bool:
    """Whether a log's task is reserved for held-out seeds; all logs of a task are on the same side."""
    task = log.id.rpartition("-trial-")[0] or log.task
    return hashlib.sha256(task.encode()).digest()[0] % HELD_OUT_EVERY == 0


def shorten_message(words: str) -> str:
    """Shorten a message: JSON without punctuation, on one line, cut after MAX_ANSWER_LENGTH characters."""
    with contextlib.suppress(ValueError):  # most user messages are not JSON
        words = format_value(json.loads(words))
    words = " ".join(words.split()) or "nothing"
    return words if len(words) <= MAX_ANSWER_LENGTH else words[:MAX_ANSWER_LENGTH].rstrip() + "…"


def format_value(value: Any, nested: bool = False) -> str:
    """A JSON value as `key value, key (key value)`."""
    if isinstance(value, dict):
        parts = [f"{key} {format_value(inner, True)}" for key, inner in value.items()]
    elif isinstance(value, list):
        parts = [format_value(inner, True) for inner in value]
    else:
        return "yes" if value is True else "no" if value is False else "none" if value is None else str(value)
    return f"({', '.join(parts)})" if nested else ", ".join(parts)
