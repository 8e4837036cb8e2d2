"""Figures of experiments: means over seeds, intervals from two ways of drawing, and paired differences."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from swirl.evaluation.bootstrap import Estimate
from swirl.experiments.axis import axis_marks, numbered_marks
from swirl.experiments.baselines import baseline_of
from swirl.experiments.catalog import get_experiment
from swirl.experiments.grid import OwnMethod, Plan, Problem
from swirl.experiments.plot import draw_intervals
from swirl.experiments.report import difference_cell, problem_section
from swirl.experiments.results import (
    Row,
    SeedResult,
    bootstrap_two_ways,
    estimate_row,
    paired_difference,
    scores_by_iteration,
)
from swirl.history import Checkpoint
from swirl.methods import METHODS

PLACES = [[f"s{i // 4}", i % 4] for i in range(40)]
SFT, PAPER, BEST = METHODS["sft"], METHODS["paper"], METHODS["best-of-n"]


def result(seed: int, values: list[float], metric: str = "forward/exact_match") -> SeedResult:
    cases = {"places": PLACES, "values": {metric: values, "copy/exact_match": [0.0] * len(values)}}
    return SeedResult(seed, f"run-{seed}", cases, cases, 10.0 + seed)


def row(method: str, *columns: list[float], seeds: tuple[int, ...] = (0, 1, 2)) -> Row:
    return Row("p", 0, method, tuple(result(seed, column) for seed, column in zip(seeds, columns, strict=False)))


def test_the_interval_counts_the_spread_of_sequences_and_of_seeds() -> None:
    groups = [sequence for sequence, _ in PLACES]
    alike = np.ones((3, 40)) * 0.5
    found = bootstrap_two_ways(alike, groups)
    assert found.low == pytest.approx(0.5) and found.high == pytest.approx(0.5)
    by_seed = np.repeat([[0.4], [0.5], [0.6]], 40, axis=1)
    found = bootstrap_two_ways(by_seed, groups)
    assert found.value == pytest.approx(0.5) and found.low == pytest.approx(0.4) and found.high == pytest.approx(0.6)
    by_sequence = np.tile(np.repeat([0.0, 1.0] * 5, 4), (3, 1))
    found = bootstrap_two_ways(by_sequence, groups)
    # Ten sequences, half of them right: the standard error is about 0.16.
    assert found.value == 0.5 and 0.1 < found.low < 0.3 and 0.7 < found.high < 0.9


def test_a_row_is_the_mean_over_its_seeds() -> None:
    found = estimate_row(row("sft", [1.0] * 40, [0.0] * 40, [0.5] * 40), SFT)
    assert found is not None
    assert (found.estimate.value, found.deviation, found.seeds) == (0.5, 0.5, 3)
    assert estimate_row(row("sft", [1.0] * 40), SFT, "no/such_metric") is None


def test_differences_are_paired_by_transition_and_seed() -> None:
    rng = np.random.default_rng(0)
    hard = (rng.random((3, 40)) < 0.5).astype(float)
    better = np.minimum(hard + (np.arange(40) % 8 == 0), 1.0)
    found = paired_difference(row("paper", *better.tolist()), PAPER, row("sft", *hard.tolist()), SFT)
    assert found is not None
    assert found.estimate.value == pytest.approx((better - hard).mean()) and found.estimate.low >= 0
    # The interval of the difference is narrower than the two separate intervals.
    alone = estimate_row(row("sft", *hard.tolist()), SFT)
    assert alone is not None
    assert found.estimate.high - found.estimate.low < alone.estimate.high - alone.estimate.low


def test_a_start_of_one_seed_is_paired_with_all() -> None:
    start = row("warm-up", [0.25] * 40)
    trained = row("sft", [0.5] * 40, [0.75] * 40)
    found = paired_difference(trained, SFT, start, METHODS["warm-up"])
    assert found is not None and found.seeds == 2 and found.estimate.value == pytest.approx(0.375)
    back = paired_difference(start, METHODS["warm-up"], trained, SFT)
    assert back is not None and back.seeds == 2 and back.estimate.value == pytest.approx(-0.375)


def test_other_transitions_are_not_compared() -> None:
    other = result(0, [1.0] * 40)
    other.chosen["places"][0][1] = 9
    moved = Row("p", 0, "sft", (other,))
    # The lists are shared, so make the other row's places its own.
    plain = SeedResult(0, "r", {"places": [["x", 0]] * 40, "values": other.chosen["values"]}, other.last, 1.0)
    assert paired_difference(moved, SFT, Row("p", 0, "paper", (plain,)), PAPER) is None
    other.chosen["places"][0][1] = 0


def test_best_of_n_has_its_own_metric() -> None:
    found = estimate_row(Row("p", 0, "best-of-n", (result(0, [1.0] * 40, "forward/exact_match_best_of_8"),)), BEST)
    assert found is not None and found.estimate.value == 1.0


def test_a_difference_is_bold_when_its_interval_is_off_zero() -> None:
    plan = get_experiment("quick")
    low, high = row("sft", [0.0] * 40), row("paper", [1.0] * 40)
    assert difference_cell(plan, high, low) == "**+1.000 [+1.000, +1.000]**"
    assert difference_cell(plan, low, low) == "–"
    mixed = row("paper", [1.0, 0.0] * 20)
    half = row("sft", [0.0, 1.0] * 20)
    assert not difference_cell(plan, mixed, half).startswith("**")


def test_the_plot_shows_every_row_and_is_valid_xml() -> None:
    from xml.etree import ElementTree

    problem = Problem("p", "tiny-household", world="household", regime="clean")
    plan = Plan("x", "A & B", "?", (problem,), ("warm-up", "sft", "paper"))
    rows = [row("warm-up", [0.25] * 40), row("sft", [0.5] * 40), row("paper", [0.75] * 40)]
    drawing = ElementTree.fromstring(draw_intervals(plan, rows))
    circles = [e for e in drawing.iter() if e.tag.endswith("circle")]
    assert len(circles) == 3
    places = [float(c.get("cx", "0")) for c in circles]
    assert places == sorted(places) and places[1] - places[0] == pytest.approx(places[2] - places[1], abs=0.2)
    assert [c.get("class") for c in circles] == ["other", "other", "mutual"]
    assert draw_intervals(plan, []).startswith("<svg")


def test_the_longest_title_of_a_plot_has_room() -> None:
    from xml.etree import ElementTree

    problem = Problem("p", "tiny-household", world="household", regime="clean")
    title = "A method whose title is longer than all others here"
    own = OwnMethod("own", title, based_on="sft")
    plan = Plan("x", "A", "?", (problem,), ("warm-up", "own"), own_methods=(own,))
    drawing = ElementTree.fromstring(draw_intervals(plan, [row("warm-up", [0.25] * 40), row("own", [0.5] * 40)]))
    (label,) = [e for e in drawing.iter() if e.text == title]
    assert float(label.get("x", "0")) - 6.5 * len(title) > 0
    assert float(drawing.get("width", "0")) > float(label.get("x", "0")) + 274


@pytest.mark.parametrize("metric", ["inverse/exact_match", "inverse/equivalent"])
def test_the_report_says_what_the_inverse_model_gained_by_the_last_checkpoint(metric: str) -> None:
    """The best checkpoint has the start's inverse model; the last one infers a quarter of the actions more."""
    plan = Plan(
        "p", "P", "?", (Problem("p", "tiny-household", regime="clean", world="household"),), ("warm-up", "paper")
    )

    def run(seed: int, last: list[float]) -> SeedResult:
        first = {"forward/exact_match": [1.0] * 40, "inverse/exact_match": [1.0] * 40, metric: [0.0] * 40}
        columns = (first, {**first, metric: last})
        chosen, final = ({"places": PLACES, "values": {**values}} for values in columns)
        return SeedResult(seed, f"run-{seed}", chosen, final, 1.0)

    learnt = [float(i // 4 % 4 == 0) for i in range(40)]
    start = Row("p", 0, "warm-up", (run(0, [0.0] * 40),))
    trained = Row("p", 0, "paper", tuple(run(seed, learnt) for seed in (0, 1, 2)))
    lines = problem_section(plan, [start, trained], plan.problems[0], 0)
    heads, cells = ([cell.strip() for cell in line.strip("|").split("|")] for line in (lines[2], lines[5]))
    assert cells[heads.index("inverse, last, over the warm-up")].strip("*").startswith("+0.300 [")
    assert lines[4].split("|")[-3].strip() == "–"


def test_the_report_says_what_was_lost_after_the_chosen_checkpoint() -> None:
    """The last checkpoints predict a quarter less than the chosen ones; a run that chose its last one loses nothing."""
    plan = Plan("p", "P", "?", (Problem("p", "tiny-household", regime="clean", world="household"),), ("sft", "paper"))

    def cases(values: list[float]) -> dict[str, object]:
        return {"places": PLACES, "values": {"forward/exact_match": values}}

    def run(seed: int, last: list[float], curve: tuple[float, ...]) -> SeedResult:
        return SeedResult(seed, f"run-{seed}", cases([1.0] * 40), cases(last), 1.0, curve)

    fallen = [float(i % 4 != 0) for i in range(40)]
    stayed = Row("p", 0, "sft", tuple(run(seed, [1.0] * 40, (0.2, 0.4)) for seed in (0, 1)))
    fell = Row("p", 0, "paper", (run(0, fallen, (0.2, 0.5, 0.3)), run(1, fallen, (0.2, 0.7, 0.5))))
    lines = problem_section(plan, [stayed, fell], plan.problems[0], 0)
    last = lines[2].split("|").index(" last ")
    assert lines[4].split("|")[last].strip() == "1.000"
    assert lines[5].split("|")[last].strip().startswith("0.750 (**-0.250 [")
    assert "| SFT, continued | 0.200 | 0.400 | – |" in lines
    assert "| SWIRL | 0.200 | 0.600 | 0.400 |" in lines


def test_scores_by_iteration_are_those_after_both_phases() -> None:
    def checkpoint(index: int, iteration: int, score: float | None) -> Checkpoint:
        scores = {} if score is None else {"forward/exact_match": score}
        return Checkpoint("r", index, f"r@{index}", iteration, "forward", "", scores, False, "")

    places = ((0, 0, 0.1), (1, 1, 0.2), (2, 1, 0.3), (3, 2, 0.4), (4, 2, 0.5))
    assert scores_by_iteration([checkpoint(*place) for place in places]) == (0.1, 0.3, 0.5)
    assert scores_by_iteration([checkpoint(0, 0, 0.1), checkpoint(1, 1, None)]) == ()


@pytest.mark.parametrize(
    ("name", "baseline"),
    [
        ("regimes", "sft-equal-compute"),  # as many steps as the default
        ("variants", "paper"),
        ("group-size", "group-2"),
        ("longer-loop", "sft-six"),
        ("quick", "sft"),
    ],
)
def test_methods_are_compared_with_imitation_else_with_the_loop(name: str, baseline: str) -> None:
    assert baseline_of(get_experiment(name)) == baseline


def test_without_imitation_of_as_many_steps_the_first_is_the_baseline() -> None:
    regimes = get_experiment("regimes")
    assert baseline_of(replace(regimes, default_method="hybrid-equal-compute")) == "sft"
    assert baseline_of(replace(regimes, default_method=None)) == "sft"


def test_imitation_that_has_run_is_the_baseline_before_that_which_has_not() -> None:
    regimes = replace(get_experiment("regimes"), default_method="hybrid-judged-twice")
    assert baseline_of(regimes, {"warm-up", "sft", "paper"}) == "sft"
    assert baseline_of(regimes, {"sft", "sft-twice", "sft-equal-compute"}) == "sft-twice"
    assert baseline_of(regimes, {"warm-up", "paper"}) == "sft-twice"


def test_the_axis_has_round_marks_around_all_intervals() -> None:
    assert axis_marks([]) == ()
    assert axis_marks([Estimate(0.5, 0.42, 0.61), Estimate(0.7, 0.66, 0.83)]) == (0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
    assert axis_marks([Estimate(1.0, 1.0, 1.0)]) == (0.99, 0.995, 1.0, 1.005, 1.01)
    assert axis_marks([Estimate(26.0, 24.9, 31.0)]) == (24.0, 26.0, 28.0, 30.0, 32.0)


def test_zero_is_among_the_numbered_marks() -> None:
    axis = axis_marks([Estimate(-0.1, -0.21, 0.04)])
    assert axis == (-0.25, -0.2, -0.15, -0.1, -0.05, 0.0, 0.05)
    minus = "\N{MINUS SIGN}"
    assert [text for _, text in numbered_marks(axis, 2)] == [f"{minus}0.20", f"{minus}0.10", "0.00"]
    assert numbered_marks((0.4, 0.5, 0.6), 2) == [(0.4, "0.4"), (0.6, "0.6")]
    assert numbered_marks((), 1) == []
