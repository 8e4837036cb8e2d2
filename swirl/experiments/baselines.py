"""What the methods of an experiment are compared with, beside the start that they share."""

from __future__ import annotations

from collections.abc import Collection

from swirl.experiments.grid import Plan
from swirl.experiments.settings_of_cells import base_method
from swirl.methods import Method

BASELINES = ("sft", "paper")
"""What every other method is compared with, beside the start: imitation, else the paper's loop, or one based on it."""


def baseline_of(plan: Plan, with_figures: Collection[str] = ()) -> str | None:
    """The method that the others are compared with: it is, or is based on, one of BASELINES.

    Of several, those `with_figures` come first, then those with as many steps as the default, so that both see as many
    transitions, then those that the plan names first.
    """
    times = plan.steps_times(plan.default_method) if plan.default_method else 1
    for base in BASELINES:
        based = [name for name in plan.methods if base_method(plan, name) == base]
        if based:
            return min(based, key=lambda name: (name not in with_figures, plan.steps_times(name) != times))
    return None


def reference_title(plan: Plan, reference: str) -> str:
    """What all methods are compared with over all problems: `the default`, or the title of another method."""
    return "the default" if reference == plan.default_method else baseline_title(plan.method(reference))


def baseline_title(method: Method) -> str:
    """The baseline in the head of a column: SFT, or the title of another method."""
    return method.title.removesuffix(", continued")
