"""An experiment over all its problems as plain data, and in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from studio.view_models.experiment_grid import UPPER_BOUND
from studio.view_models.experiment_words import is_competitor, join_names
from swirl.experiments.advice import join_titles
from swirl.experiments.axis import axis_marks
from swirl.experiments.baselines import reference_title
from swirl.experiments.grid import Plan
from swirl.experiments.overall import OverallComparison, OverallRow


@dataclass(frozen=True)
class Overall:
    """The methods of a plan over all its problems."""

    plan: Plan
    comparison: OverallComparison

    @property
    def reference_title(self) -> str:
        """`the default`, or the title of the method that the others are compared with, as in a sentence."""
        return join_titles([reference_title(self.plan, self.comparison.reference)])

    @property
    def axis(self) -> tuple[float, ...]:
        """The marks of the common axis of the differences, which also has the reference on it."""
        return axis_marks([row.estimate for row in self.comparison.rows])

    def title(self, row: OverallRow) -> str:
        """The title of a row's method."""
        return self.plan.method(row.method).title


def describe_overall(overall: Overall) -> str:
    """Who is above the reference beyond chance, and who is not told apart from it; empty where nobody competes.

    The warm-up and the training on true actions do not.
    """
    compared = [row for row in overall.comparison.rows if row.over_reference is not None]
    rivals = [row for row in compared if is_competitor(overall.plan.method(row.method))]
    if not rivals:
        return ""
    above = [row for row in rivals if row.estimate.low > 0]
    level = [row for row in rivals if row.estimate.low <= 0 <= row.estimate.high]
    has_bound = any(row.method == UPPER_BOUND for row in compared)
    nobody = "no method that trains without true actions" if has_bound else "no method"
    who = titles_are(overall, above) if above else f"{nobody} is"
    sentence = f"{who} above {overall.reference_title} beyond chance"
    if level:
        sentence += f"; {titles_are(overall, level)} not told apart from it"
    sentence = sentence if overall.comparison.is_complete else f"so far {sentence}"
    return f"{sentence[0].upper()}{sentence[1:]}."


def titles_are(overall: Overall, rows: Sequence[OverallRow]) -> str:
    """`A is`, `A and B are`."""
    return f"{join_names([overall.title(row) for row in rows])} {'is' if len(rows) == 1 else 'are'}"
