"""Tool logs from files (tau-bench, ToolBench) recorded like a world: an episode is a run of logged calls.

Answers are long, so they are shortened for small models: JSON in few words, cut after SHOWN characters. `swirl import`
takes the same files whole.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import random
from pathlib import Path
from typing import Any

from swirl.errors import SwirlError, UsageError
from swirl.sources.formats.tool_log_sequences import layout, log_files, logs_of
from swirl.sources.formats.tool_logs import ToolLog, whole
from swirl.states import State
from swirl.worlds.base import SEQUENCES_PER_SEED, Episode, episode_of, held_out

SHOWN = 200
"""Characters of an answer that are kept."""
UNSEEN = 4
"""One task in four is for held-out seeds."""


class ToolWorld:
    """The world `tau-bench` or `toolbench`, read from a file or folder.

    Raises SwirlError if there is no log of that layout.
    """

    def __init__(self, name: str, source: Path) -> None:
        self.name = name
        files = log_files(source.expanduser())
        logs = [log for file in files if layout(whole(file)) == name for log in logs_of(file, source.expanduser())]
        if not logs:
            raise SwirlError(f"{source} holds no log of {name}; choose its file, or a folder with such .json files.")
        self.logs = {unseen: [log for log in logs if for_held_out(log) == unseen] for unseen in (False, True)}

    def episode(self, seed: int, length: int) -> Episode:
        """At most `length` calls of the log that the recording's shuffle puts in this place.

        Raises UsageError when there are fewer logs than episodes: a log is played once.
        """
        recording, place = divmod(seed, SEQUENCES_PER_SEED)
        pieces = [piece for log in self.logs[held_out(seed)] for piece in cut(log, length)]
        if place >= len(pieces):
            part = "held-out" if held_out(seed) else "training"
            raise UsageError(f"The log has {len(pieces)} {part} sequences; ask for at most as many with --sequences.")
        random.Random(f"{self.name}-{recording}").shuffle(pieces)
        states, actions = pieces[place]
        return episode_of([State(state) for state in states], actions)


def cut(log: ToolLog, length: int) -> list[tuple[list[str], list[str]]]:
    """A log as states and calls, in pieces of at most `length` calls."""
    pieces = []
    for start in range(0, len(log.steps), length):
        steps = log.steps[start : start + length]
        states = [shortened(steps[0].context), *(shortened(step.observation) for step in steps)]
        pieces.append((states, [step.call for step in steps]))
    return pieces


def for_held_out(log: ToolLog) -> bool:
    """Whether a log's task is one of those for held-out seeds; all logs of one task are on the same side."""
    task = log.id.rpartition("-trial-")[0] or log.task
    return hashlib.sha256(task.encode()).digest()[0] % UNSEEN == 0


def shortened(words: str) -> str:
    """A message in few words: JSON without its marks, all on one line, cut after SHOWN characters."""
    with contextlib.suppress(ValueError):  # most of what users say is no JSON
        words = plain(json.loads(words))
    words = " ".join(words.split()) or "nothing"
    return words if len(words) <= SHOWN else words[:SHOWN].rstrip() + "…"


def plain(value: Any, nested: bool = False) -> str:
    """A JSON value as `key value, key (key value)`."""
    if isinstance(value, dict):
        parts = [f"{key} {plain(inner, True)}" for key, inner in value.items()]
    elif isinstance(value, list):
        parts = [plain(inner, True) for inner in value]
    else:
        return "yes" if value is True else "no" if value is False else "none" if value is None else str(value)
    return f"({', '.join(parts)})" if nested else ", ".join(parts)
