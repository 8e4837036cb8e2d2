"""Methods over all problems: the mean of paired differences, each problem counting the same."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from swirl.experiments.grid import Plan, Problem
from swirl.experiments.overall import overall_difference, row_pairs
from swirl.experiments.report import overall_section
from swirl.experiments.results import Row, SeedResult, paired_difference

PROBLEMS = ("a", "b", "c")
PLAN = Plan(
    "p",
    "P",
    "?",
    tuple(Problem(name, "tiny-household", data=name) for name in PROBLEMS),
    ("warm-up", "sft", "paper"),
    default_method="paper",
)


def row(problem: str, method: str, *columns: list[float], size: int = 0) -> Row:
    """A row with a column of values of 40 transitions, four of a sequence, for each seed."""
    results = []
    for seed, column in enumerate(columns):
        places = [[f"{problem} {i // 4}", i % 4] for i in range(len(column))]
        cases = {"places": places, "values": {"forward/exact_match": column}}
        results.append(SeedResult(seed, f"{problem}/{method}/{seed}", cases, cases, 10.0))
    return Row(problem, size, method, tuple(results))


def level(value: float, seeds: int = 2, transitions: int = 40) -> list[list[float]]:
    return [[value] * transitions] * seeds


def test_each_problem_counts_the_same_however_many_transitions_it_has() -> None:
    rows = [row("a", "paper", *level(0.5, transitions=80)), row("a", "sft", *level(0.25, transitions=80))]
    rows += [row("b", "paper", *level(0.5)), row("b", "sft", *level(0.75))]
    rows += [row("c", "paper", *level(1.0))]  # the other method is missing there
    found = overall_difference(PLAN, row_pairs(PLAN, rows, "paper", "sft"))
    assert found is not None
    assert found.estimate.value == found.estimate.low == found.estimate.high == 0.0
    assert (found.problems, found.above, found.below) == (2, 1, 1)


def test_one_problem_is_not_a_mean_over_problems() -> None:
    rows = [row("a", "paper", *level(0.5)), row("a", "sft", *level(0.25)), row("b", "paper", *level(0.5))]
    assert overall_difference(PLAN, row_pairs(PLAN, rows, "paper", "sft")) is None


def test_the_mean_is_surer_than_each_of_its_problems() -> None:
    """With equal spread on three problems the interval is narrower by the root of three, about."""
    rng = np.random.default_rng(0)
    rows = []
    for name in PROBLEMS:
        worse = (rng.random((3, 400)) < 0.5).astype(float)
        better = np.maximum(worse, rng.random((3, 400)) < 0.1)
        rows += [row(name, "sft", *worse.tolist()), row(name, "paper", *better.tolist())]
    pairs = row_pairs(PLAN, rows, "paper", "sft")
    alone = [paired_difference(a, PLAN.method("paper"), b, PLAN.method("sft")) for a, b in pairs]
    found = overall_difference(PLAN, pairs)
    assert found is not None and found.problems == 3 and found.above == 3 and found.estimate.low > 0
    widths = [each.estimate.high - each.estimate.low for each in alone if each is not None]
    assert found.estimate.value == pytest.approx(np.mean([each.estimate.value for each in alone if each is not None]))
    assert (found.estimate.high - found.estimate.low) * 3**0.5 == pytest.approx(np.mean(widths), rel=0.25)


def test_sizes_count_as_problems_and_a_start_stands_at_all_of_them() -> None:
    plan = dataclasses.replace(PLAN, sizes=(100, 200))
    rows = [row("a", "warm-up", *level(0.25, seeds=1))]
    rows += [row("a", "paper", *level(value), size=size) for size, value in ((100, 0.5), (200, 0.75))]
    found = overall_difference(plan, row_pairs(plan, rows, "paper", "warm-up"))
    assert found is not None and found.problems == 2 and found.estimate.value == pytest.approx(0.375)


def test_the_report_has_the_table_with_the_best_first() -> None:
    rows = []
    for name in PROBLEMS[:2]:
        rows += [row(name, "warm-up", *level(0.25, seeds=1)), row(name, "sft", *level(0.75))]
        rows += [row(name, "paper", *level(0.5))]
    lines = overall_section(PLAN, rows)
    assert lines[0] == "## Over all problems" and "minus that of “SWIRL”" in lines[2]
    assert lines[6:9] == [
        "| SWIRL | – | 2 | – | – | **+0.250 [+0.250, +0.250]** |",
        "| SFT, continued | **+0.250 [+0.250, +0.250]** | 2 | 2 | 0 | **+0.500 [+0.500, +0.500]** |",
        "| Warm-up only | **-0.250 [-0.250, -0.250]** | 2 | 0 | 2 | – |",
    ]
    assert overall_section(dataclasses.replace(PLAN, default_method=None, methods=("warm-up",)), rows) == []
    assert overall_section(PLAN, [each for each in rows if each.problem == "a"]) == []
