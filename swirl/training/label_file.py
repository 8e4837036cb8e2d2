"""The file of the actions that are inferred before a phase, so that a resumed run need not infer them again."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any


class LabelFile:
    """The actions that were inferred so far, in `file`, a line of JSON for each part of the transitions.

    `source` says what they are inferred from: lines with another one are not taken. Nor are those from the first on
    that is not whole, which a killed process or a full disk may leave. Only with `writes` are more added; of several
    ranks, the first does so. `seconds` is how long inferring took, over all attempts.
    """

    def __init__(self, file: Path, source: str, *, writes: bool = True) -> None:
        self.file, self.source, self.writes = file, source, writes
        self.actions: list[str] = []
        self.seconds = 0.0
        self._whole_bytes = 0
        for line in file.read_bytes().splitlines(keepends=True) if file.is_file() else ():
            part = read_part(line)
            if part is None or part["source"] != source:
                break
            self.actions += part["actions"]
            self.seconds += part["seconds"]
            self._whole_bytes += len(line)
        self._part_started = time.monotonic()

    def add(self, actions: Sequence[str]) -> None:
        """Add the actions of the next part."""
        now = time.monotonic()
        seconds, self._part_started = now - self._part_started, now
        self.actions += actions
        self.seconds += seconds
        if not self.writes:
            return
        part = {"source": self.source, "seconds": seconds, "actions": list(actions)}
        line = json.dumps(part).encode() + b"\n"
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self.file.open("ab") as file:
            file.truncate(self._whole_bytes)  # what is not whole, or from another source
            file.write(line)
        self._whole_bytes += len(line)


def read_part(line: bytes) -> dict[str, Any] | None:
    """The part in a line of the file; None if the line is not whole."""
    try:
        part = json.loads(line)
    except ValueError:
        return None
    whole = line.endswith(b"\n") and isinstance(part, dict) and part.keys() == {"source", "seconds", "actions"}
    return part if whole else None
