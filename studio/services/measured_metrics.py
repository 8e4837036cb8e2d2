"""The measured metrics of checkpoints on a collection, from the same source for all, and how each differs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from studio.services.history_store import history
from studio.view_models.metric_rows import MetricValue, parse_metric_values
from swirl.history import Evaluation

PART_WORDS = {"train": "training part", "selection": "selection part", "test": "test part", "all": "all transitions"}
"""How the parts of a collection are called where figures are shown."""


@dataclass(frozen=True)
class MeasuredFigures:
    """The metrics of each checkpoint on a collection, and their source in words.

    `differences` has one entry for every checkpoint but the first: METRIC to the mean difference from the first over
    the same transitions; empty if the single transitions were not saved.
    """

    figures: list[dict[str, MetricValue]]
    source: str
    differences: list[dict[str, MetricValue]]


def known_figures(home: Path, names: Sequence[str], data: str) -> MeasuredFigures:
    """The metrics of checkpoints on a collection, from the same source for all of them if possible.

    These are the evaluations if all have one of the same part, else the held-out scores of training if all have those,
    else whatever each has.
    """
    evaluations = [history(home).evaluation_to_show(name, data) for name in names]
    parts = {evaluation.part or "test" for evaluation in evaluations if evaluation}
    evaluated = [parse_metric_values(evaluation.metrics) if evaluation else {} for evaluation in evaluations]
    if all(evaluated) and len(parts) == 1:
        differences = [_differences(home, evaluations[0], other) for other in evaluations[1:]]
        source = f"{PART_WORDS[parts.pop()]}, with 95\u00a0% intervals"
        return MeasuredFigures(evaluated, source, differences)
    scored = [_scores(home, name, data) for name in names]
    no_differences: list[dict[str, MetricValue]] = [{} for _ in names[1:]]
    if all(scored):
        return MeasuredFigures(scored, "selection part, as scored during training", no_differences)
    mixed = [evaluation or scores for evaluation, scores in zip(evaluated, scored, strict=True)]
    source = "measured on different parts; evaluate them all to compare" if sum(map(bool, mixed)) > 1 else ""
    return MeasuredFigures(mixed, source, no_differences)


def _differences(home: Path, first: Evaluation, second: Evaluation) -> dict[str, MetricValue]:
    first_cases, second_cases = (history(home).evaluation_cases(evaluation.id) for evaluation in (first, second))
    if not first_cases or not second_cases:
        return {}
    from swirl.evaluation.paired_differences import metric_differences

    differences = metric_differences(first_cases, second_cases)
    return {name: MetricValue(v.value, v.low, v.high) for name, v in differences.items()}


def _scores(home: Path, name: str, data: str) -> dict[str, MetricValue]:
    run = history(home).find_run(name.partition("@")[0])
    if run is None or run.settings.get("data") != data or run.created < history(home).contents_since(data):
        return {}
    return parse_metric_values(next((c.scores for c in history(home).checkpoints(run.id) if c.name == name), {}))
