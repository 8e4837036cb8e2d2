"""A table of how the actions of a run changed over its phases, with a bar for each figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from studio.components.shared.html import escape
from studio.view_models.formatting import format_percent

if TYPE_CHECKING:
    from swirl.evaluation.action_course import ActionsOfCheckpoint

SHARES = ("cycle", "undone_after_done", "two_steps")
COLUMNS = {
    "length": ("words", "Mean words of an inferred action"),
    "entropy": ("entropy", "Entropy of the inverse model, nats per action"),
    "effective": ("effective", "Effective number of actions, exp(entropy of their frequencies)"),
    "cycle": ("cycle", "Next states predicted exactly from the inferred action"),
    "undone_after_done": ("undone", "Of the steps that were right, those that the opposite action undoes"),
    "two_steps": ("two steps", "Two steps in a row predicted exactly"),
}
"""By figure, its heading and what it means."""


def actions_over_phases(found: Sequence[ActionsOfCheckpoint], current: str) -> str:
    """The table; the row of the `current` checkpoint is marked. A bar is the value over the largest of its column."""
    names = [name for name in COLUMNS if any(name in one.figures for one in found)]
    most = {name: max((one.figures[name].value for one in found if name in one.figures), default=0.0) for name in names}
    headings = "".join(
        f'<th scope="col" title="{escape(COLUMNS[name][1])}">{escape(COLUMNS[name][0])}</th>' for name in names
    )
    rows = "".join(
        f'<tr{_mark(one.checkpoint == current)}><th scope="row">{escape(one.checkpoint.partition("@")[2])}</th>'
        + "".join(_cell(one, name, most[name]) for name in names)
        + "</tr>"
        for one in found
    )
    return (
        '<div class="scrolled"><table class="table over-phases"><caption class="visually-hidden">The actions of each '
        f'checkpoint</caption><thead><tr><th scope="col">phase</th>{headings}</tr></thead><tbody>{rows}</tbody>'
        "</table></div>"
        '<p class="note">Every checkpoint on the same transitions, held out if there are sequences enough. Actions '
        "that become shorter and fewer while the cycle closes as often are becoming a code.</p>"
    )


def _mark(is_current: bool) -> str:
    return ' aria-current="true"' if is_current else ""


def _cell(one: ActionsOfCheckpoint, name: str, most: float) -> str:
    if name not in one.figures:
        return "<td>\N{EN DASH}</td>"
    figure = one.figures[name]
    write = format_percent if name in SHARES else "{:.2f}".format
    share = 100 * figure.value / most if most > 0 else 0.0
    interval = f"{write(figure.low)} to {write(figure.high)}"
    return (
        f'<td title="95\N{NO-BREAK SPACE}% interval {interval}">{write(figure.value)}'
        f'<i class="amount" style="width:{share:.0f}%" aria-hidden="true"></i></td>'
    )
