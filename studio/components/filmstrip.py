"""The sequence walker: numbered states with the inferred action between them."""

from __future__ import annotations

from collections.abc import Sequence

from studio.components.html import chance, escape
from studio.components.text_diff import changes, marked, opening
from swirl.models import Inference
from swirl.states import State


def filmstrip(states: Sequence[State]) -> str:
    """The strip of a sequence; the actions' places are parts named `chip-STEP` (0-based), filled as they are inferred.

    A text state shows what changed since the one before it, the first how it begins.
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
        items.append(
            f'<li class="frame"><button type="button" data-step="{min(number, len(states) - 1)}" '
            f'aria-label="State {number}">{card(states[number - 2].text if number > 1 else None, state.text)}</button>'
            f"<span>{number}</span></li>"
        )
    return f'<ol class="filmstrip">{"".join(items)}</ol>'


def card(before: str | None, state: str, mark: str = "ins") -> str:
    """A small text state: what changed since `before`, or how it begins; `mark` names the tag and its class."""
    return opening(state) if before is None else marked(state, {mark: changes(before, state)[1]})


def chip(found: Inference) -> str:
    """The action inferred for a step, with its probability and the arrow of time."""
    return f"<b>{escape(found.action) or '(no words)'}</b><small>{chance(found.log_prob)} →</small>"
