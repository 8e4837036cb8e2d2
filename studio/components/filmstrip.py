"""The sequence walker: numbered states with the inferred action between them."""

from __future__ import annotations

from collections.abc import Sequence

from studio.components.frame import FILM, image
from studio.components.html import chance, escape
from studio.components.text_diff import changes, marked, opening
from swirl.models import Inference
from swirl.states import State


def filmstrip(states: Sequence[State]) -> str:
    """The strip of a sequence; the actions' places are parts named `chip-STEP` (0-based), filled as they are inferred.

    A picture is shown; a text state shows what changed since the one before it, the first how it begins.
    """
    items = []
    for number, state in enumerate(states, start=1):
        if number > 1:
            step = number - 1
            items.append(
                f'<li class="between-states"><button type="button" class="action-chip" data-step="{step}" '
                f'aria-label="Step {step}: what happened between {step} and {number}">'
                f'<span data-part="chip-{step - 1}"></span></button></li>'
            )
        before = states[number - 2] if number > 1 else None
        items.append(
            f'<li class="frame"><button type="button" data-step="{min(number, len(states) - 1)}" '
            f'aria-label="State {number}">{card(before, state)}</button>'
            f"<span>{number}</span></li>"
        )
    pictured = " pictured" if states and states[0].picture is not None else ""
    return f'<ol class="filmstrip{pictured}">{"".join(items)}</ol>'


def card(before: State | None, state: State, mark: str = "ins", box: int = FILM) -> str:
    """A small state: a picture; or of a text what changed since `before`, or how it begins, in the tag `mark`."""
    if state.picture is not None:
        return image(state, "", box, wide=box * 3 // 2, lazy=True)
    return opening(state.text) if before is None else marked(state.text, {mark: changes(before.text, state.text)[1]})


def chip(found: Inference) -> str:
    """The action inferred for a step, with its probability and the arrow of time."""
    return f"<b>{escape(found.action) or '(no words)'}</b><small>{chance(found.log_prob)} →</small>"
