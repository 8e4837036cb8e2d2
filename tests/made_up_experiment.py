"""A home with an experiment whose figures are chosen, so that what the page says about them is known beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from swirl.experiments.grid import Cell, Plan, Problem
from swirl.experiments.settings_of_cells import cell_settings
from swirl.history import History

PREPARED = {"data": "household", "model": "tiny-household", "labels": None, "true_labels": None}
PLACES = [[f"sequence {i // 4}", i % 4] for i in range(80)]
RIGHT = {
    "warm-up": range(40),
    "best-of-n": range(44),
    "sft": range(46),
    "supervised": range(80),
    "paper": range(20),
    "anchor": range(68),
}
"""Which of the 80 test transitions each method has right: those of a method with more include those with fewer."""


def plan_of(name: str = "made-up", *, seeds: Sequence[int] = (0, 1), problems: Sequence[str] = ("clean",)) -> Plan:
    """A small plan over Household."""
    return Plan(
        name=name,
        title="A made-up experiment",
        question="Is what the page says true?",
        problems=tuple(Problem(p, "tiny-household", world="household", regime=p) for p in problems),
        methods=tuple(RIGHT),
        seeds=tuple(seeds),
        default_method="anchor",
    )


def make_experiment(home: Path, plan: Plan, *, finished: int | None = None, transitions: int = 80) -> History:
    """Store the plan with the runs of its cells; the first `finished` of them (all by default) have figures."""
    history = History(home)
    history.save_experiment(plan.name, plan.to_dict())
    cells = list(plan.cells())
    for number, cell in enumerate(cells):
        if finished is None or number < finished:
            finish_cell(history, plan, cell, transitions)
    history.update_experiment(plan.name, finished="2026-01-01T00:00:00.000+00:00")
    return history


def start_cell(history: History, plan: Plan, cell: Cell) -> str:
    """The run of a cell, waiting in the queue."""
    settings = cell_settings(plan, cell, PREPARED).to_dict()
    name = f"{cell.problem} · {plan.method(cell.method).title} · seed {cell.seed}"
    place = (plan.name, cell.key)
    return history.create_run(preset="tiny-household", settings=settings, name=name, cell=place)


def checkpoint_path(run: str, index: int) -> str:
    """Where the checkpoint of a run would lie in the home; there is nothing."""
    return f"runs/{run}/checkpoints/{index:02d}-forward"


def finish_cell(history: History, plan: Plan, cell: Cell, transitions: int = 80) -> str:
    """The run of a cell, finished after 60 seconds, with the values of its best and its last checkpoint.

    The last checkpoint has half of what the best one has right.
    """
    run = start_cell(history, plan, cell)
    history.update_run(run, status="running", started="2026-01-01T00:00:00.000+00:00")
    right = set(RIGHT[cell.method])
    places = [[f"sequence {i // 4}", i % 4] for i in range(transitions)]
    for index, share in ((0, 1), (1, 2)):
        history.add_checkpoint(
            run, index=index, iteration=index, phase="forward", path=checkpoint_path(run, index), scores={}
        )
        name = history.checkpoints(run)[-1].name
        exact = [float(i % 80 in right and i % share == 0) for i in range(transitions)]
        values = {
            "forward/exact_match": exact,
            "inverse/exact_match": [1.0] * transitions,
            "copy/exact_match": [float(i % 10 == 0) for i in range(transitions)],
        }
        if plan.method(cell.method).best_of > 1:
            values[f"forward/exact_match_best_of_{plan.method(cell.method).best_of}"] = exact
        cases = {"places": places, "values": values}
        history.add_evaluation(checkpoint=name, data="household", metrics={}, cases=cases, part="test", at_end=True)
    history.mark_best(run, 0)
    history.log_metrics(run, 0, 1, {"step_time": 1.0})
    history.update_run(run, status="finished", finished="2026-01-01T00:01:00.000+00:00")
    return run
