"""The sequence walker: numbered states with the inferred action between them."""

from __future__ import annotations

from collections.abc import Sequence

from studio.components.shared.html import format_probability
from studio.components.shared.inferred_actions import action_text
from studio.components.shared.picture_frame import image_tag
from studio.components.shared.text_difference import highlight_tokens, opening
from studio.view_models.frame_size import FILMSTRIP_SIZE
from studio.view_models.text_difference import changed_tokens
from swirl.models import Inference
from swirl.states import State

MAX_VISIBLE_STATES = 48  # states shown at once: a video may have thousands
JUMP = 16  # states by which the strip of a longer sequence moves


def visible_window(count: int, step: int) -> range:
    """The numbers (from 1) of the states that a strip of `count` shows around a step; all, unless there are many.

    It moves in jumps, so that most steps leave the strip as it is.
    """
    if count <= MAX_VISIBLE_STATES:
        return range(1, count + 1)
    first = max(1, min((step // JUMP) * JUMP - JUMP, count - MAX_VISIBLE_STATES + 1))
    return range(first, min(first + MAX_VISIBLE_STATES, count + 1))


def filmstrip(states: Sequence[State], shown: range | None = None) -> str:
    """The strip of a sequence, or of the states `shown` of it; the actions' places are parts named `chip-STEP`
    (0-based), filled as they are inferred.

    A picture is shown; a text state shows what changed since the one before it, the first how it begins.
    """
    shown = range(1, len(states) + 1) if shown is None else shown
    items = []
    if shown and shown[0] > 1:
        items.append(_more(shown[0] - 1, f"{shown[0] - 1} earlier"))
    for number in shown:
        if number > shown[0]:
            items.append(_action_slot(number - 1))
        before = states[number - 2] if number > 1 else None
        items.append(
            f'<li class="frame" data-state="{number}"><button type="button" data-step="{min(number, len(states) - 1)}" '
            f'aria-label="State {number}">{state_card(before, states[number - 1])}</button>'
            f"<span>{number}</span></li>"
        )
    if shown and shown[-1] < len(states):
        items.append(_more(shown[-1], f"{len(states) - shown[-1]} later"))
    pictured = " pictured" if states and states[0].picture is not None else ""
    return f'<ol class="filmstrip{pictured}">{"".join(items)}</ol>'


def _action_slot(step: int) -> str:
    """The place of a step's action."""
    return (
        f'<li class="between-states"><button type="button" class="action-chip" data-step="{step}" '
        f'aria-label="Step {step}: what happened between {step} and {step + 1}">'
        f'<span data-part="chip-{step - 1}"></span></button></li>'
    )


def _more(step: int, words: str) -> str:
    """The way to the states that the strip leaves out."""
    return f'<li class="more"><button type="button" class="button-link small" data-step="{step}">{words}</button></li>'


def state_card(before: State | None, state: State, mark: str = "ins", box: int = FILMSTRIP_SIZE) -> str:
    """A small state: a picture; or of a text what changed since `before`, or how it begins, in the tag `mark`."""
    if state.picture is not None:
        return image_tag(state, "", box, wide=box * 3 // 2, lazy=True)
    return (
        opening(state.text)
        if before is None
        else highlight_tokens(state.text, {mark: changed_tokens(before.text, state.text)[1]})
    )


def action_chip(found: Inference) -> str:
    """The action inferred for a step, with its probability and the arrow of time."""
    return f"<b>{action_text(found.action)}</b><small>{format_probability(found.log_prob)} →</small>"
