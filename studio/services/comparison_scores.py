"""What was measured of checkpoints on a collection, like with like, and how each differs from the first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from studio.services.history_store import history
from studio.view_models.metric_rows import Figure, figures
from swirl.history import Evaluation


@dataclass(frozen=True)
class Measured:
    """The figures of checkpoints on a collection, where they come from, and how each differs from the first one.

    `differences` has one entry for each checkpoint after the first: METRIC to the mean difference over the same
    transitions; empty where those were not kept.
    """

    figures: list[dict[str, Figure]]
    source: str
    differences: list[dict[str, Figure]]


def known_figures(home: Path, names: Sequence[str], data: str) -> Measured:
    """The figures of checkpoints on a collection, alike for all of them.

    Evaluations if all have one, else the held-out scores of training if all have those, else what there is.
    """
    evaluations = [_evaluation(home, name, data) for name in names]
    evaluated = [figures(one.metrics) if one else {} for one in evaluations]
    if all(evaluated):
        apart = [_differences(home, evaluations[0], other) for other in evaluations[1:]]
        return Measured(evaluated, "test part, with 95\u00a0% intervals", apart)
    scored = [_scores(home, name, data) for name in names]
    none: list[dict[str, Figure]] = [{} for _ in names[1:]]
    if all(scored):
        return Measured(scored, "selection part, as scored during training", none)
    found = [first or second for first, second in zip(evaluated, scored, strict=True)]
    mixed = sum(map(bool, found)) > 1
    return Measured(found, "measured on different parts: evaluate them all" if mixed else "", none)


def _differences(home: Path, first: Evaluation, second: Evaluation) -> dict[str, Figure]:
    ours, theirs = (history(home).cases(one.id) for one in (first, second))
    if not ours or not theirs:
        return {}
    from swirl.evaluation.paired_differences import differences

    return {name: Figure(v.value, v.low, v.high) for name, v in differences(ours, theirs).items()}


def _evaluation(home: Path, name: str, data: str) -> Evaluation | None:
    return next(iter(history(home).evaluations(checkpoint=name, data=data)), None)


def _scores(home: Path, name: str, data: str) -> dict[str, Figure]:
    run = next((run for run in history(home).runs() if run.id == name.partition("@")[0]), None)
    if run is None or run.settings.get("data") != data:
        return {}
    return figures(next((c.scores for c in history(home).checkpoints(run.id) if c.name == name), {}))
