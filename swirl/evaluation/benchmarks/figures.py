"""Compute a benchmark's figures from the scores of its items: a value per split with a 95 % interval and counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from swirl.evaluation.bootstrap import LEVEL, RESAMPLES, bootstrap_statistic, sum_by_group
from swirl.evaluation.text_metrics import bleu, bleu_counts

MEAN = "mean"
"""The column of the mean over the splits."""


@dataclass(frozen=True)
class MetricColumn:
    """The scored items of one split under one metric.

    `rows` is (n, K), and `statistic` maps its column sums (K,) to the figure. `groups` holds the n names of the groups
    that the bootstrap draws. `split_size` is the number of items in the split, `total_size` that of all splits.
    """

    metric: str
    split: str
    rows: np.ndarray
    groups: Sequence[str]
    split_size: int
    total_size: int
    statistic: Callable[[np.ndarray], float]


@dataclass(frozen=True)
class Figure:
    """A value on `scored` of `of` items; without an interval if fewer than two items were scored.

    `splits` is the number of splits that a mean over splits includes, 1 for the figure of a single split.
    """

    value: float
    low: float | None
    high: float | None
    scored: int
    of: int
    splits: int = 1


def mean_from_sums(sums: np.ndarray) -> float:
    """The mean from (sum, number); 0 if the number is 0."""
    return float(sums[0] / sums[1]) if sums[1] else 0.0


def mean_columns(
    metric: str,
    splits: Sequence[str],
    groups: Sequence[str],
    values: Sequence[float | None],
    split_sizes: Mapping[str, int],
    scale: float = 1.0,
) -> Iterable[MetricColumn]:
    """A column of means, times `scale`, for each split that has a value; an item with None does not count."""
    total = sum(split_sizes.values())
    for split in dict.fromkeys(splits):
        scored = [
            (value * scale, group)
            for value, group, own in zip(values, groups, splits, strict=True)
            if own == split and value is not None
        ]
        if scored:
            rows = np.array([(value, 1.0) for value, _ in scored])
            scored_groups = [group for _, group in scored]
            yield MetricColumn(metric, split, rows, scored_groups, split_sizes[split], total, mean_from_sums)


def bleu_columns(
    metric: str,
    splits: Sequence[str],
    groups: Sequence[str],
    candidates: Sequence[str],
    references: Sequence[str],
    split_sizes: Mapping[str, int],
    order: int = 4,
) -> Iterable[MetricColumn]:
    """A column of corpus BLEU of 1- to `order`-grams for each split."""
    counts, total = bleu_counts(candidates, references, standard=True), sum(split_sizes.values())
    for split in dict.fromkeys(splits):
        places = [place for place, own in enumerate(splits) if own == split]
        split_groups = [groups[place] for place in places]
        statistic = partial(bleu, order=order)
        yield MetricColumn(metric, split, counts[places], split_groups, split_sizes[split], total, statistic)


def split_figure(column: MetricColumn, seed: int) -> Figure:
    """The value of a column, with a bootstrap interval over its groups."""
    scored = len(column.rows)
    if scored < 2:
        return Figure(float(column.statistic(column.rows.sum(axis=0))), None, None, scored, column.split_size)
    value = bootstrap_statistic(column.rows, column.groups, column.statistic, seed)
    return Figure(value.value, value.low, value.high, scored, column.split_size)


def mean_figure(columns: Sequence[MetricColumn], seed: int) -> Figure:
    """The mean of the splits' values, weighted equally; the bootstrap draws groups within each split."""
    draws, values = [], []
    generator = np.random.default_rng(seed)
    for column in columns:
        sums = sum_by_group(column.rows, column.groups)
        counts = generator.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=RESAMPLES)
        draws.append([column.statistic(row) for row in counts @ sums])
        values.append(float(column.statistic(column.rows.sum(axis=0))))
    value = float(np.mean(values))
    low, high = np.quantile(np.mean(draws, axis=0), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    scored = sum(len(column.rows) for column in columns)
    ends = (min(float(low), value), max(float(high), value)) if scored >= 2 else (None, None)
    return Figure(value, *ends, scored, columns[0].total_size, len(columns))


def compute_figures(columns: Iterable[MetricColumn], seed: int = 0) -> dict[str, dict[str, Figure]]:
    """By metric, the figure of each split and the mean over the splits (`MEAN`)."""
    by_metric: dict[str, list[MetricColumn]] = {}
    for column in columns:
        by_metric.setdefault(column.metric, []).append(column)
    return {
        metric: {
            **{column.split: split_figure(column, seed) for column in of_metric},
            MEAN: mean_figure(of_metric, seed),
        }
        for metric, of_metric in by_metric.items()
    }
