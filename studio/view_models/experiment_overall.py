"""The methods of an experiment over all its problems as plain data, and in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from studio.view_models.experiment_grid import UPPER_BOUND
from studio.view_models.experiment_words import join_names
from swirl.experiments.grid import WARM_UP
from swirl.experiments.overall import OverallDifference
from swirl.experiments.report import baseline_title
from swirl.methods import Method


@dataclass(frozen=True)
class OverallRow:
    """A method with its mean differences to the reference and to the warm-up; None for the same method, or unknown."""

    method: Method
    over_reference: OverallDifference | None
    over_start: OverallDifference | None


@dataclass(frozen=True)
class Overall:
    """All methods against the `reference`, the best first, on a common `axis`; `problems` is how many the plan has."""

    reference: Method
    rows: tuple[OverallRow, ...]
    axis: tuple[float, ...]
    problems: int
    is_default: bool

    @property
    def reference_title(self) -> str:
        """`the default`, or the title of the method that the others are compared with."""
        return "the default" if self.is_default else baseline_title(self.reference)


def describe_overall(overall: Overall) -> str:
    """Who is above the reference beyond chance, who is not told apart from it; the warm-up and true actions aside."""
    rivals = [row for row in overall.rows if row.over_reference and row.method.name not in (WARM_UP, UPPER_BOUND)]
    above = [row for row in rivals if row.over_reference.estimate.low > 0]
    level = [row for row in rivals if row not in above and row.over_reference.estimate.high >= 0]
    name = overall.reference_title
    sentence = (
        f"{titles_are(above)} above {name} beyond chance" if above else f"No method is above {name} beyond chance"
    )
    return sentence + (f"; {titles_are(level)} not told apart from it." if level else ".")


def titles_are(rows: Sequence[OverallRow]) -> str:
    """`A is`, `A and B are`."""
    return f"{join_names([row.method.title for row in rows])} {'is' if len(rows) == 1 else 'are'}"
