"""From scores of items to figures of splits: values with 95 % intervals, and how many of how many were scored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from swirl.evaluation.bootstrap import LEVEL, RESAMPLES, bootstrap_statistic, sum_by_group
from swirl.evaluation.text_metrics import bleu_counts

MEAN = "mean"
"""The column of the mean over the splits."""


@dataclass(frozen=True)
class MetricColumn:
    """The scored items of one split under one metric: sums of which `statistic` makes the figure.

    `rows` is (n, K), `groups` the n names of what is drawn together, `of` the number of items that the split has, and
    `total` that of all splits.
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
    """A value on `scored` of `of` items. No interval where fewer than two items were scored.

    `splits` is the number of splits that a mean over splits is taken over, 1 for a split's own figure.
    """

    value: float
    low: float | None
    high: float | None
    scored: int
    of: int
    splits: int = 1


def mean_from_sums(sums: np.ndarray) -> float:
    """The mean, of (sum, number)."""
    return float(sums[0] / sums[1]) if sums[1] else 0.0


def mean_columns(
    metric: str,
    splits: Sequence[str],
    groups: Sequence[str],
    values: Sequence[float | None],
    of: Mapping[str, int],
    scale: float = 1.0,
) -> Iterable[MetricColumn]:
    """A column for each split that has a value; what is None was not scored and does not count."""
    for split in dict.fromkeys(splits):
        kept = [
            (value * scale, group)
            for value, group, own in zip(values, groups, splits, strict=True)
            if own == split and value is not None
        ]
        if kept:
            rows = np.array([(value, 1.0) for value, _ in kept])
            yield MetricColumn(
                metric, split, rows, [group for _, group in kept], of[split], sum(of.values()), mean_from_sums
            )


def bleu_up_to(order: int) -> Callable[[np.ndarray], float]:
    """Corpus BLEU (Papineni et al. 2002) of 1- to `order`-grams, 0 to 100, from summed `bleu_counts`, by sacrebleu."""
    from sacrebleu.metrics import BLEU

    def bleu(sums: np.ndarray) -> float:
        counts = [round(number) for number in sums]
        score = BLEU.compute_bleu(
            counts[:order], counts[4 : 4 + order], counts[8], counts[9], smooth_method="exp", max_ngram_order=order
        )
        return float(score.score)

    return bleu


def bleu_columns(
    metric: str,
    splits: Sequence[str],
    groups: Sequence[str],
    candidates: Sequence[str],
    references: Sequence[str],
    of: Mapping[str, int],
    order: int = 4,
) -> Iterable[MetricColumn]:
    """A column of corpus BLEU for each split."""
    counts = bleu_counts(candidates, references)
    for split in dict.fromkeys(splits):
        those = [place for place, own in enumerate(splits) if own == split]
        own, total = [groups[place] for place in those], sum(of.values())
        yield MetricColumn(metric, split, counts[those], own, of[split], total, bleu_up_to(order))


def figure(column: MetricColumn, seed: int) -> Figure:
    """The column's value, with a bootstrap interval over its groups."""
    scored = len(column.rows)
    if scored < 2:
        return Figure(float(column.statistic(column.rows.sum(axis=0))), None, None, scored, column.split_size)
    value = bootstrap_statistic(column.rows, column.groups, column.statistic, seed)
    return Figure(value.value, value.low, value.high, scored, column.split_size)


def mean_figure(columns: Sequence[MetricColumn], seed: int) -> Figure:
    """The mean of the splits' values, each counting the same; groups are drawn anew within each split."""
    draws, values = [], []
    generator = np.random.default_rng(seed)
    for column in columns:
        sums = sum_by_group(column.rows, column.groups)
        picked = generator.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=RESAMPLES)
        draws.append([column.statistic(row) for row in picked @ sums])
        values.append(float(column.statistic(column.rows.sum(axis=0))))
    value = float(np.mean(values))
    low, high = np.quantile(np.mean(draws, axis=0), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    scored = sum(len(column.rows) for column in columns)
    ends = (min(float(low), value), max(float(high), value)) if scored >= 2 else (None, None)
    return Figure(value, *ends, scored, columns[0].total_size, len(columns))


def figures(columns: Iterable[MetricColumn], seed: int = 0) -> dict[str, dict[str, Figure]]:
    """The figure of each split, and the mean over the splits, by metric."""
    by_metric: dict[str, list[MetricColumn]] = {}
    for column in columns:
        by_metric.setdefault(column.metric, []).append(column)
    return {
        metric: {
            **{column.split: figure(column, seed) for column in found},
            MEAN: mean_figure(found, seed),
        }
        for metric, found in by_metric.items()
    }
