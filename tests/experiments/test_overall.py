"""Methods over all problems: the mean of paired differences, each problem counting the same."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from swirl.experiments.grid import Plan, Problem
from swirl.experiments.overall import (
    OverallDifference,
    compare_overall,
    overall_difference,
    relative_time,
    rows_together,
)
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


def row(problem: str, method: str, *columns: list[float], size: int = 0, seconds: float | None = 10.0) -> Row:
    """A row with a column of values of 40 transitions, four of a sequence, for each seed."""
    results = []
    for seed, column in enumerate(columns):
        places = [[f"{problem} {i // 4}", i % 4] for i in range(len(column))]
        cases = {"places": places, "values": {"forward/exact_match": column}}
        results.append(SeedResult(seed, f"{problem}/{method}/{seed}", cases, cases, seconds))
    return Row(problem, size, method, tuple(results))


def over(rows: list[Row], method: str, other: str, plan: Plan = PLAN) -> OverallDifference | None:
    """What a method has over another one."""
    return overall_difference(plan, [(mine, theirs) for mine, theirs in rows_together(plan, rows, (method, other))])


def level(value: float, seeds: int = 2, transitions: int = 40) -> list[list[float]]:
    return [[value] * transitions] * seeds


def test_each_problem_counts_the_same_however_many_transitions_it_has() -> None:
    rows = [row("a", "paper", *level(0.5, transitions=80)), row("a", "sft", *level(0.25, transitions=80))]
    rows += [row("b", "paper", *level(0.5)), row("b", "sft", *level(0.75))]
    rows += [row("c", "paper", *level(1.0))]  # the other method is missing there
    found = over(rows, "paper", "sft")
    assert found is not None
    assert found.estimate.value == found.estimate.low == found.estimate.high == 0.0
    assert (found.problems, found.above, found.below) == (2, 1, 1)


def test_one_problem_is_not_a_mean_over_problems() -> None:
    rows = [row("a", "paper", *level(0.5)), row("a", "sft", *level(0.25)), row("b", "paper", *level(0.5))]
    assert over(rows, "paper", "sft") is None


def test_the_mean_is_surer_than_each_of_its_problems() -> None:
    """With equal spread on three problems the interval is narrower by the root of three, about."""
    rng = np.random.default_rng(0)
    rows = []
    for name in PROBLEMS:
        worse = (rng.random((3, 400)) < 0.5).astype(float)
        better = np.maximum(worse, rng.random((3, 400)) < 0.1)
        rows += [row(name, "sft", *worse.tolist()), row(name, "paper", *better.tolist())]
    pairs = [(mine, theirs) for mine, theirs in rows_together(PLAN, rows, ("paper", "sft"))]
    alone = [paired_difference(a, PLAN.method("paper"), b, PLAN.method("sft")) for a, b in pairs]
    found = overall_difference(PLAN, pairs)
    assert found is not None and found.problems == 3 and found.above == 3 and found.estimate.low > 0
    widths = [each.estimate.high - each.estimate.low for each in alone if each is not None]
    assert found.estimate.value == pytest.approx(np.mean([each.estimate.value for each in alone if each is not None]))
    assert (found.estimate.high - found.estimate.low) * 3**0.5 == pytest.approx(np.mean(widths), rel=0.25)


def test_problems_with_one_test_part_are_drawn_together() -> None:
    """Which sequences are drawn is chance that such problems share: more of them do not make it cancel."""
    right = np.repeat(np.arange(100) % 2.0, 4)
    rows, alike = [], []
    for name in PROBLEMS:
        for method, column in (("paper", right), ("sft", np.zeros(400))):
            rows.append(row(name, method, column.tolist()))
            alike.append(row("a", method, column.tolist()))
            alike[-1] = dataclasses.replace(alike[-1], problem=name)
    apart, together = over(rows, "paper", "sft"), over(alike, "paper", "sft")
    alone = paired_difference(alike[0], PLAN.method("paper"), alike[1], PLAN.method("sft"))
    assert apart is not None and together is not None and alone is not None
    width = alone.estimate.high - alone.estimate.low
    assert together.estimate.high - together.estimate.low == pytest.approx(width, rel=0.15)
    assert apart.estimate.high - apart.estimate.low == pytest.approx(width / 3**0.5, rel=0.15)


def test_several_sizes_are_no_more_problems() -> None:
    rows = []
    for size, value in ((100, 0.5), (200, 0.75)):
        for name in PROBLEMS:
            rows += [row(name, "paper", *level(value), size=size), row(name, "sft", *level(0.25), size=size)]
    plan = dataclasses.replace(PLAN, sizes=(100, 200))
    assert compare_overall(plan, rows, lambda pairs: overall_difference(plan, pairs)) is None
    plan = dataclasses.replace(PLAN, sizes=(100,))
    found = compare_overall(plan, rows, lambda pairs: overall_difference(plan, pairs))
    assert found is not None and found.problems == 3


def test_seeds_that_only_one_method_has_are_not_compared() -> None:
    """A default that has one seed so far is subtracted from that seed of the others, not from all of them."""
    rows = []
    for name in PROBLEMS:
        rows += [row(name, "paper", [0.5] * 40), row(name, "sft", [0.75] * 40, [0.0] * 40, [0.0] * 40)]
    found = over(rows, "sft", "paper")
    assert found is not None and found.seeds == 1 and found.estimate.value == 0.25


def test_both_columns_are_about_the_same_problems_and_a_default_without_runs_gives_way() -> None:
    rows = []
    for name, start in zip(PROBLEMS, (0.0, 0.0, 0.5), strict=True):
        rows += [row(name, "warm-up", *level(start, seeds=1)), row(name, "sft", *level(0.5))]
    rows += [row(name, "paper", *level(0.25)) for name in PROBLEMS[:2]]
    rows.append(row("a", "anchor", *level(1.0)))
    plan = dataclasses.replace(PLAN, methods=("warm-up", "sft", "paper", "anchor", "hybrid"))

    def compared(plan: Plan) -> dict[str, tuple[object, ...]]:
        found = compare_overall(plan, rows, lambda pairs: overall_difference(plan, pairs))
        assert found is not None
        return {"left out": found.left_out} | {
            line.method: tuple(
                found and (round(found.estimate.value, 3), found.problems)
                for found in (line.over_reference, line.over_start)
            )
            for line in found.rows
        }

    assert compared(plan) == {
        "sft": ((0.25, 2), (0.5, 2)),  # over all three problems it would have 0.333
        "paper": (None, (0.25, 2)),
        "warm-up": ((-0.25, 2), None),
        "left out": ("anchor",),
    }
    without = compared(dataclasses.replace(plan, default_method="hybrid"))
    assert without["sft"] == (None, (0.333, 3)) and without["paper"] == ((-0.25, 2), (0.25, 2))


def test_times_are_compared_on_the_problems_that_count_and_where_they_are_known() -> None:
    rows = [row(name, "sft", *level(0.5), seconds=10) for name in PROBLEMS]
    rows += [row("a", "paper", *level(0.5), seconds=30), row("b", "paper", *level(0.5), seconds=10)]
    undefined = [[float("nan")] * 40] * 2
    found = over([*rows, row("c", "paper", *undefined, seconds=900)], "paper", "sft")
    assert found is not None and (found.problems, found.relative_time) == (2, 2.0)
    unknown = row("c", "paper", *level(0.5), seconds=None)
    found = over([*rows, unknown], "paper", "sft")
    assert found is not None and (found.problems, found.relative_time) == (3, 2.0)
    assert relative_time([(unknown, rows[2])]) is None and relative_time([]) is None
    once = dataclasses.replace(unknown.results[0], training_seconds=40.0)
    assert dataclasses.replace(unknown, results=(once, unknown.results[1])).training_seconds() == 40.0


def test_the_report_has_the_table_with_the_best_first() -> None:
    rows = []
    for name in PROBLEMS[:2]:
        rows += [row(name, "warm-up", *level(0.25, seeds=1), seconds=0), row(name, "sft", *level(0.75))]
        rows += [row(name, "paper", *level(0.5), seconds=30 if name == "a" else 10)]
    lines = overall_section(PLAN, [*rows, row("a", "anchor", *level(1.0))])
    assert lines[0] == "## Over all problems" and "minus that of the default" in lines[2]
    assert lines[6:9] == [
        "| SFT, continued | **+0.250 [+0.250, +0.250]** | 2 of 3 | 2 | 0 | 2 | **+0.500 [+0.500, +0.500]** | 0.5 |",
        "| SWIRL (default) | – | 2 of 3 | – | – | 2 | **+0.250 [+0.250, +0.250]** | 1.0 |",
        "| Warm-up only | **-0.250 [-0.250, -0.250]** | 2 of 3 | 0 | 2 | 2 | – | – |",
    ]
    assert lines[9:] == [""]  # the anchor is none of this plan's methods
    anchored = dataclasses.replace(PLAN, methods=(*PLAN.methods, "anchor"))
    lines = overall_section(anchored, [*rows, row("a", "anchor", *level(1.0))])
    assert lines[10] == "Left out, as fewer than two problems have figures of both: Anchor."
    assert overall_section(dataclasses.replace(PLAN, default_method=None, methods=("warm-up",)), rows) == []
    assert overall_section(PLAN, [each for each in rows if each.problem == "a"]) == []
