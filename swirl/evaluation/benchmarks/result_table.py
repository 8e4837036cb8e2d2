"""A benchmark's figures as a table in the paper's form, the paper's own figures above ours."""

from __future__ import annotations

from swirl.evaluation.benchmarks.figures import MEAN, Figure
from swirl.evaluation.benchmarks.run import BenchmarkResult


def table_columns(result: BenchmarkResult) -> dict[str, str]:
    """The table's columns with their headings: the paper's splits, those that only we have, and the mean."""
    found = {split: split for splits in result.figures.values() for split in splits if split != MEAN}
    return {
        **result.benchmark.splits,
        **{s: h for s, h in found.items() if s not in result.benchmark.splits},
        MEAN: "mean",
    }


def table_rows(result: BenchmarkResult) -> tuple[list[str], list[list[str]]]:
    """Headings and rows. Ours hold value and n of N; a mean over fewer splits than there are says over how many."""
    heads = table_columns(result)
    named = list(dict.fromkeys(row.metric for row in result.benchmark.paper_rows))
    order = [*named, *(metric for metric in result.figures if metric not in named)]
    table: list[list[str]] = []
    for metric in order:
        for row in (row for row in result.benchmark.paper_rows if row.metric == metric):
            values = [f"{row.values[split]:.2f}" if split in row.values else "" for split in heads]
            table.append([f"{metric}, paper: {row.name}", *values])
        ours = result.figures.get(metric, {})
        full = len(heads) - 1
        table.append([f"{metric}, ours", *(cell(ours.get(split), split, result, full) for split in heads)])
    return ["METRIC", *heads.values()], table


def cell(figure: Figure | None, split: str, result: BenchmarkResult, full: int) -> str:
    """A figure with the number of items that it is of; a dash with none of N where nothing was scored."""
    if figure is None:
        of = sum(result.split_sizes.values()) if split == MEAN else result.split_sizes.get(split, 0)
        return f"– (0 of {of})"
    fewer = f", {figure.splits} of {full} columns" if split == MEAN and figure.splits < full else ""
    return f"{figure.value:.2f} ({figure.scored} of {figure.of}{fewer})"
