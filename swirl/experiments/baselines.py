"""What the methods of an experiment are compared with, beside the start that they share."""

from __future__ import annotations

from swirl.experiments.grid import Plan
from swirl.experiments.settings_of_cells import base_method
from swirl.methods import Method

BASELINES = ("sft", "paper")
"""What every other method is compared with, beside the start: imitation, else the paper's loop, or one based on it."""


def baseline_of(plan: Plan) -> str | None:
    """The method that the others are compared with: the plan's first one that is, or is based on, one of BASELINES."""
    based = {base_method(plan, name): name for name in reversed(plan.methods)}
    return next((based[name] for name in BASELINES if name in based), None)


def reference_title(plan: Plan, reference: str) -> str:
    """What all methods are compared with over all problems: `the default`, or the title of another method."""
    return "the default" if reference == plan.default_method else baseline_title(plan.method(reference))


def baseline_title(method: Method) -> str:
    """The baseline in the head of a column: SFT, or the title of another method."""
    return method.title.removesuffix(", continued")
