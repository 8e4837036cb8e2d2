"""Measure how errors accumulate over several steps on the model's own predictions, next to a copy of the start.

These are the paper's turns on the WorldPrediction benchmark, without a judge; `unrolling` shows the steps of a single
sequence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from swirl.evaluation.evaluated_rows import EvaluatedRows

STEPS = (1, 2, 3, 4, 5, 6)
REPORTED_MEASURES = ("exact_match", "psnr")
"""The measures that are reported for each step, where the states have them."""

MAX_STARTS = 1000
"""The most transitions from which rollouts start: each costs as many predictions as there are steps."""

NEW_SHARE = 0.75
"""The share of a step's predictions that lead to new questions in the next one, for the time left."""

Columns = dict[str, list[float | None]]


def score_rollouts(rows: EvaluatedRows, seed: int = 0) -> Columns:
    """exact_match@T for T = 1 to 6: 1 where the state predicted T steps ahead is the observed one; for pictures psnr@T.

    From an observed state the FWM goes T steps, each from its own last prediction, under the actions that the IDM
    inferred from the observed sequence. None for a transition with fewer than T − 1 transitions right after it, and for
    transitions that are not among the MAX_STARTS drawn ones.
    """
    reached = {i: rows.states[i] for i in rows.sample_indices(MAX_STARTS, seed)}
    columns: Columns = {}
    windows = step_windows(rows, seed)
    expected = expected_predictions(windows)
    for steps, last_transition in windows.items():
        window = {i: j for i, j in last_transition.items() if i in reached}
        states, actions = [reached[i] for i in window], [rows.inferred_actions[j] for j in window.values()]
        if steps > 1:
            asked = rows.answers.count_new_predictions(states, actions)
            rows.answers.adjust_expected("states", asked - expected[steps])
        imagined = rows.answers.next_states(states, actions)
        reached = dict(zip(window, imagined, strict=True))
        keys = dict(zip(window, rows.keys(imagined), strict=True))
        columns |= score_step(rows, steps, window, keys.__getitem__)
    return columns


def expected_predictions(windows: Mapping[int, Mapping[int, int]]) -> dict[int, float]:
    """About how many new predictions each T > 1 asks for, from `step_windows`; for the time left.

    Rollouts meet in the same state, or reach an observed one whose prediction is known.
    """
    return {steps: NEW_SHARE ** (steps - 1) * len(window) for steps, window in windows.items() if steps > 1}


def score_copies(rows: EvaluatedRows, seed: int = 0) -> Columns:
    """The same measures of a copy of the start, at the same starts: the scores of a model that predicts no change."""
    keys = rows.keys(rows.states)
    columns: Columns = {}
    for steps, last_transition in step_windows(rows, seed).items():
        columns |= score_step(rows, steps, last_transition, keys.__getitem__)
    return columns


def step_windows(rows: EvaluatedRows, seed: int = 0) -> dict[int, dict[int, int]]:
    """For each T the drawn starts that have T steps ahead, each with the index of its T-th transition."""
    place = {(t.sequence_id, t.step): i for i, t in enumerate(rows.transitions)}
    windows: dict[int, dict[int, int]] = {}
    starts = rows.sample_indices(MAX_STARTS, seed)
    for steps in STEPS:
        ends = {i: place.get((rows.transitions[i].sequence_id, rows.transitions[i].step + steps - 1)) for i in starts}
        windows[steps] = {i: j for i, j in ends.items() if j is not None}
        starts = list(windows[steps])
    return windows


def score_step(
    rows: EvaluatedRows, steps: int, last_transition: Mapping[int, int], key_of: Callable[[int], str]
) -> Columns:
    """Each measure between the state whose key `key_of` gives for a start and the one observed `steps` steps later."""
    columns: Columns = {}
    for name in (name for name in REPORTED_MEASURES if name in rows.measures):
        values = {i: rows.measures[name](key_of(i), rows.next_keys[j]) for i, j in last_transition.items()}
        columns[f"{name}@{steps}"] = rows.one_per_transition(values)
    return columns
