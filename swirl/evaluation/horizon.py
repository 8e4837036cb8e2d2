"""How errors add up: several steps ahead on the model's own predictions, beside a copy of the start.

The paper's turns on the WorldPrediction benchmark, without a judge; `rollout` shows the steps of one sequence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from swirl.evaluation.evaluated_rows import EvaluatedRows

STEPS = (1, 2, 3, 4, 5, 6)
REPORTED_MEASURES = ("exact_match", "psnr")
"""The measures that are told of each step, where the states have them."""

MAX_STARTS = 1000
"""Transitions from which the model goes ahead at most: each start costs as many predictions as there are steps."""

Columns = dict[str, list[float | None]]


def score_rollouts(rows: EvaluatedRows, seed: int = 0) -> Columns:
    """exact_match@T for T = 1 to 6: the state predicted T steps ahead is the observed one; for pictures also psnr@T.

    From a real state the FWM goes T steps, each from its own last prediction, under the actions that the IDM inferred
    from the real sequence. None for a transition with fewer than T - 1 transitions right after it, and for those that
    are not among the STARTS drawn ones.
    """
    reached = {i: rows.states[i] for i in rows.sample_indices(MAX_STARTS, seed)}
    found: Columns = {}
    for ahead, after in step_windows(rows, seed).items():
        via = {i: j for i, j in after.items() if i in reached}
        imagined = rows.answers.next_states([reached[i] for i in via], [rows.inferred_actions[j] for j in via.values()])
        reached = dict(zip(via, imagined, strict=True))
        keys = dict(zip(via, rows.keys(imagined), strict=True))
        found |= score_step(rows, ahead, via, keys.__getitem__)
    return found


def score_copies(rows: EvaluatedRows, seed: int = 0) -> Columns:
    """The same measures of a copy of the start, at the same starts: what a model that predicts no change would have."""
    keys = rows.keys(rows.states)
    found: Columns = {}
    for ahead, after in step_windows(rows, seed).items():
        found |= score_step(rows, ahead, after, keys.__getitem__)
    return found


def step_windows(rows: EvaluatedRows, seed: int = 0) -> dict[int, dict[int, int]]:
    """For each T the starts that have as many steps after them, each with its T-th transition; empty ones left out."""
    place = {(t.sequence_id, t.step): i for i, t in enumerate(rows.transitions)}
    found: dict[int, dict[int, int]] = {}
    going = rows.sample_indices(MAX_STARTS, seed)
    for ahead in STEPS:
        ends = {i: place.get((rows.transitions[i].sequence_id, rows.transitions[i].step + ahead - 1)) for i in going}
        after = {i: j for i, j in ends.items() if j is not None}
        going = list(after)
        found[ahead] = after
    return found


def score_step(rows: EvaluatedRows, ahead: int, after: Mapping[int, int], key_of: Callable[[int], str]) -> Columns:
    """Each measure of what `key_of` says of a start against the state observed `ahead` steps after it."""
    found: Columns = {}
    for name in (name for name in REPORTED_MEASURES if name in rows.measures):
        values = {i: rows.measures[name](key_of(i), rows.next_keys[j]) for i, j in after.items()}
        found[f"{name}@{ahead}"] = [values.get(i) for i in range(len(rows.transitions))]
    return found
