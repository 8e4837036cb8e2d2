"""Lay out a benchmark's figures as a table like the paper's, with the paper's own figures above ours."""

from __future__ import annotations

from swirl.evaluation.benchmarks.figures import MEAN, Figure
from swirl.evaluation.benchmarks.run import BenchmarkResult


def table_columns(result: BenchmarkResult) -> dict[str, str]:
    """The table's columns with their headings: the paper's splits, further splits in the results, and the mean."""
    measured = (split for splits in result.figures.values() for split in splits)
    further = {split: split for split in measured if split not in (MEAN, *result.benchmark.splits)}
    return {**result.benchmark.splits, **further, MEAN: "mean"}


def table_rows(result: BenchmarkResult) -> tuple[list[str], list[list[str]]]:
    """The headings and the rows.

    Our cells hold the value and n of N; a mean over fewer splits than the table has says over how many.
    """
    columns = table_columns(result)
    in_paper = list(dict.fromkeys(row.metric for row in result.benchmark.paper_rows))
    order = [*in_paper, *(metric for metric in result.figures if metric not in in_paper)]
    table: list[list[str]] = []
    for metric in order:
        for row in (row for row in result.benchmark.paper_rows if row.metric == metric):
            values = [f"{row.values[split]:.2f}" if split in row.values else "" for split in columns]
            table.append([f"{metric}, paper: {row.name}", *values])
        ours = result.figures.get(metric, {})
        splits = len(columns) - 1
        table.append([f"{metric}, ours", *(format_cell(ours.get(split), split, result, splits) for split in columns)])
    return ["METRIC", *columns.values()], table


def format_cell(figure: Figure | None, split: str, result: BenchmarkResult, splits: int) -> str:
    """A figure with the number of scored items, out of a table with `splits` splits; a dash if nothing was scored."""
    if figure is None:
        size = sum(result.split_sizes.values()) if split == MEAN else result.split_sizes.get(split, 0)
        return f"– (0 of {size})"
    fewer = f", {figure.splits} of {splits} columns" if split == MEAN and figure.splits < splits else ""
    return f"{figure.value:.2f} ({figure.scored} of {figure.of}{fewer})"
