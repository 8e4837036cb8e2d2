"""Put questions to a judge that answers each with one number, and make a column of a benchmark of the numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from swirl.evaluation.benchmarks.figures import MetricColumn, mean_columns
from swirl.evaluation.benchmarks.predictions import MeasurementContext
from swirl.evaluation.judge import Question, parse_numbers


def judge_columns(
    metric: str,
    splits: Sequence[str],
    groups: Sequence[str],
    questions: Sequence[Question],
    split_sizes: Mapping[str, int],
    context: MeasurementContext,
    *,
    low: float,
    high: float,
    key: str = "score",
) -> Iterable[MetricColumn]:
    """A column of the judge's number, from `low` to `high`, for each split; only items that it scored count.

    Empty if there is no judge. `key` is the name of the number in the judge's JSON answer.
    """
    if context.judge is None:
        return
    parse = partial(parse_numbers, key=key, count=1, low=low, high=high)
    scores = context.judge.ask(questions, parse, context.progress)
    yield from mean_columns(metric, splits, groups, [score and score[0] for score in scores], split_sizes)
