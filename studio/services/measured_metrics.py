"""What was measured of checkpoints on a collection, like with like, and how each differs from the first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from studio.services.history_store import history
from studio.view_models.metric_rows import MetricValue, parse_metric_values
from swirl.history import Evaluation


@dataclass(frozen=True)
class MeasuredFigures:
    """The figures of checkpoints on a collection, where they come from, and how each differs from the first one.

    `differences` has one entry for each checkpoint after the first: METRIC to the mean difference over the same
    transitions; empty where those were not kept.
    """

    figures: list[dict[str, MetricValue]]
    source: str
    differences: list[dict[str, MetricValue]]


def known_figures(home: Path, names: Sequence[str], data: str) -> MeasuredFigures:
    """The figures of checkpoints on a collection, alike for all of them.

    Evaluations if all have one, else the held-out scores of training if all have those, else what there is.
    """
    evaluations = [_evaluation(home, name, data) for name in names]
    evaluated = [parse_metric_values(one.metrics) if one else {} for one in evaluations]
    if all(evaluated):
        apart = [_differences(home, evaluations[0], other) for other in evaluations[1:]]
        return MeasuredFigures(evaluated, "test part, with 95\u00a0% intervals", apart)
    scored = [_scores(home, name, data) for name in names]
    none: list[dict[str, MetricValue]] = [{} for _ in names[1:]]
    if all(scored):
        return MeasuredFigures(scored, "selection part, as scored during training", none)
    found = [first or second for first, second in zip(evaluated, scored, strict=True)]
    mixed = sum(map(bool, found)) > 1
    return MeasuredFigures(found, "measured on different parts: evaluate them all" if mixed else "", none)


def _differences(home: Path, first: Evaluation, second: Evaluation) -> dict[str, MetricValue]:
    ours, theirs = (history(home).evaluation_cases(one.id) for one in (first, second))
    if not ours or not theirs:
        return {}
    from swirl.evaluation.paired_differences import metric_differences

    return {name: MetricValue(v.value, v.low, v.high) for name, v in metric_differences(ours, theirs).items()}


def _evaluation(home: Path, name: str, data: str) -> Evaluation | None:
    return next(iter(history(home).evaluations(checkpoint=name, data=data)), None)


def _scores(home: Path, name: str, data: str) -> dict[str, MetricValue]:
    run = history(home).find_run(name.partition("@")[0])
    if run is None or run.settings.get("data") != data:
        return {}
    return parse_metric_values(next((c.scores for c in history(home).checkpoints(run.id) if c.name == name), {}))
