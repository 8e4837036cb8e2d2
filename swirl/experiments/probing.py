"""Probes the model of each problem before training, once, so that other starts can be compared with it."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from swirl.errors import SwirlError
from swirl.experiments.grid import Plan, Problem
from swirl.experiments.material import made_for_problem
from swirl.experiments.settings_of_cells import problem_settings
from swirl.progress import ProgressCallback
from swirl.sources.collections.split import split_of
from swirl.states import StateSequence, Transition

if TYPE_CHECKING:
    from swirl.evaluation.reward_probe import ProbedModel

PROBE_FILE = "probe.json"
PROBED = 96
"""Transitions of the selection part that a problem is probed on."""


def probe_problem(home: Path, problem: Problem, prepared: dict[str, Any], progress: ProgressCallback) -> None:
    """Probe the problem's model on the selection part of its data, unless that was done before."""
    path = made_for_problem(home, problem, PROBE_FILE)
    if path.is_file():
        return
    temperature = probe_temperature(problem)
    figures = probe_figures(home, prepared["model"], prepared["data"], temperature, PROBED, progress)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}.part")  # another experiment may probe the same at this moment
    draft.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    draft.replace(path)


def probe_temperature(problem: Problem) -> float:
    """The temperature at which a problem's model is probed: that of its rollouts."""
    return problem_settings(problem).for_phase("forward").temperature


def probe_figures(
    home: Path, model: str, data: str, temperature: float, limit: int, progress: ProgressCallback | None = None
) -> dict[str, float | None]:
    """The figures of a model's probe (`RewardProbe`) on the selection part of a collection, by name.

    The model is loaded for it, and asked with one or more threads, as suits it.
    """
    from swirl.models import load_world_model
    from swirl.models.thread_count import threads_for_inference
    from swirl.sources.collections.catalog import load_sequences

    transitions = probed_transitions(load_sequences(home, data), data, limit)
    world = load_world_model(home, model, "auto", "auto")
    with threads_for_inference(world):
        return figures_of_model(world, transitions, temperature, progress)


def probed_transitions(sequences: Sequence[StateSequence], data: str, limit: int) -> list[Transition]:
    """The first `limit` transitions of the selection part, or of all sequences if they have no such part.

    Raises SwirlError, which names the collection `data`, if there are none.
    """
    chosen = [sequence for sequence in sequences if split_of(sequence.id) == "selection"] or sequences
    transitions = [transition for sequence in chosen for transition in sequence.transitions()][:limit]
    if not transitions:
        raise SwirlError(f"The collection {data} has no transitions to probe the model on.")
    return transitions


def figures_of_model(
    world: ProbedModel, transitions: Sequence[Transition], temperature: float, progress: ProgressCallback | None = None
) -> dict[str, float | None]:
    """The figures of a loaded model's probe on transitions, at least one."""
    from swirl.evaluation.reward_probe import probe_rewards

    probe = probe_rewards(world, transitions, None, progress, temperature=temperature)
    return {
        name: value if value is None or isinstance(value, int) else value.value for name, value in vars(probe).items()
    }


def stored_probes(home: Path, plan: Plan) -> dict[str, dict[str, float | None]]:
    """The figures of the problems that were probed."""
    found = {}
    for problem in plan.problems:
        path = made_for_problem(home, problem, PROBE_FILE)
        if path.is_file():
            found[problem.name] = json.loads(path.read_text(encoding="utf-8"))
    return found
