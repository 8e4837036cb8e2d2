"""Where what is made for problems lies in the home: each under a name that says what it is.

Problems of two experiments may have the same name and be different ones, and a collection may be imported anew under
its name: neither may find what was made for the other.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from swirl.experiments.catalog import EXPERIMENTS
from swirl.experiments.grid import DEFAULT_LENGTH, Problem
from swirl.experiments.settings_of_cells import problem_settings


def recording_name(problem: Problem, played: str) -> str:
    """The name of the collection that is recorded for a problem of a world, whose regime when played is `played`."""
    length = "" if problem.length == DEFAULT_LENGTH else f"-of-{problem.length}"
    return f"{problem.world}-{played}-{problem.sequences}{length}"


def made_for_problem(home: Path, problem: Problem, part: str) -> Path:
    """The path of a part of what is made for a problem: labels, a recording, the figures of a probe.

    That of earlier versions, which is found by the problem's name alone, counts for the problems of the program's own
    experiments, if there is no other.
    """
    path = problems_folder(home) / problem_key(problem) / part
    earlier = problems_folder(home) / problem.name / part
    return earlier if not path.exists() and earlier.exists() and is_of_the_program(problem) else path


def true_labels_folder(home: Path, data: str) -> Path:
    """The folder of a collection's training part with its true actions, as the collection is now."""
    # Imported here because the packages that read collections take a while to load.
    from swirl.sources.collections.catalog import get_collection
    from swirl.sources.collections.stored_collection import fingerprint

    stored = fingerprint(get_collection(home, data).path)
    return home / "experiments" / "true-labels" / f"{data}-{short_digest(stored)}"


def starts_folder(home: Path) -> Path:
    """The folder of the models that recipes made."""
    return home / "experiments" / "starts"


def recordings_folder(home: Path) -> Path:
    """The folder in which collections are recorded before they are imported."""
    return home / "experiments" / "recordings"


def problems_folder(home: Path) -> Path:
    """The folder with a folder for each problem."""
    return home / "experiments" / "problems"


def problem_key(problem: Problem) -> str:
    """The name of a problem with a short digest of all that its labels, recording and probe depend on."""
    settings = problem_settings(problem)
    identity = [
        problem.world,
        problem.regime,
        problem.data,
        problem.labels,
        problem.model,
        settings.model,
        problem.sequences,
        problem.length,
        problem.new_adapters,
        settings.for_phase("forward").temperature,
    ]
    return f"{problem.name}-{short_digest(identity)}"


def is_of_the_program(problem: Problem) -> bool:
    """Whether an experiment that comes with the program has this problem."""
    key = problem_key(problem)
    return any(problem_key(own) == key for plan in EXPERIMENTS.values() for own in plan.problems)


def short_digest(value: Any) -> str:
    """A few letters and digits that tell a JSON value from others."""
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:8]
