"""What the methods of an experiment are compared with, beside the start that they share."""

from __future__ import annotations

from swirl.experiments.grid import Plan
from swirl.experiments.settings_of_cells import base_method
from swirl.methods import Method

BASELINES = ("sft", "paper")
"""What every other method is compared with, beside the start: imitation, else the paper's loop, or one based on it."""


def baseline_of(plan: Plan) -> str | None:
    """The method that the others are compared with: it is, or is based on, one of BASELINES.

    Of several, it is the first one with as many steps as the default, so that both see as many transitions, else the
    plan's first one.
    """
    times = plan.steps_times(plan.default_method) if plan.default_method else 1
    for base in BASELINES:
        based = [name for name in plan.methods if base_method(plan, name) == base]
        if based:
            return next((name for name in based if plan.steps_times(name) == times), based[0])
    return None


def reference_title(plan: Plan, reference: str) -> str:
    """What all methods are compared with over all problems: `the default`, or the title of another method."""
    return "the default" if reference == plan.default_method else baseline_title(plan.method(reference))


def baseline_title(method: Method) -> str:
    """The baseline in the head of a column: SFT, or the title of another method."""
    return method.title.removesuffix(", continued")
