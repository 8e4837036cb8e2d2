"""The filmstrip of a sequence: numbered states with the inferred actions between them."""

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

MAX_VISIBLE_STATES = 48  # a video may have thousands
JUMP = 16  # states by which the window of a longer sequence moves


def visible_window(count: int, step: int) -> range:
    """The numbers (from 1) of the states to show around a step, of `count` in all: at most MAX_VISIBLE_STATES.

    The window moves by JUMP, so that most steps leave the strip unchanged.
    """
    if count <= MAX_VISIBLE_STATES:
        return range(1, count + 1)
    first = max(1, min((step // JUMP) * JUMP - JUMP, count - MAX_VISIBLE_STATES + 1))
    return range(first, min(first + MAX_VISIBLE_STATES, count + 1))


def filmstrip(states: Sequence[State], window: range | None = None) -> str:
    """The strip of a sequence, or of the states whose numbers (from 1) are in `window`.

    Between two states is an empty part named `chip-STEP` (from 0), which the page fills with the inferred action. A
    text state shows what changed since the state before it; the first text shows its opening.
    """
    window = range(1, len(states) + 1) if window is None else window
    items = []
    if window and window[0] > 1:
        items.append(_more(window[0] - 1, f"{window[0] - 1} earlier"))
    for number in window:
        if number > window[0]:
            items.append(_action_slot(number - 1))
        before = states[number - 2] if number > 1 else None
        items.append(
            f'<li class="frame" data-state="{number}"><button type="button" data-step="{min(number, len(states) - 1)}" '
            f'aria-label="State {number}">{state_card(before, states[number - 1])}</button>'
            f"<span>{number}</span></li>"
        )
    if window and window[-1] < len(states):
        items.append(_more(window[-1], f"{len(states) - window[-1]} later"))
    pictured = " pictured" if states and states[0].picture is not None else ""
    return f'<ol class="filmstrip{pictured}">{"".join(items)}</ol>'


def _action_slot(step: int) -> str:
    """An empty slot for the action of a step (from 1)."""
    return (
        f'<li class="between-states"><button type="button" class="action-chip" data-step="{step}" '
        f'aria-label="Step {step}: what happened between {step} and {step + 1}">'
        f'<span data-part="chip-{step - 1}"></span></button></li>'
    )


def _more(step: int, words: str) -> str:
    """A button that moves to states outside the window."""
    return f'<li class="more"><button type="button" class="button-link small" data-step="{step}">{words}</button></li>'


def state_card(before: State | None, state: State, mark: str = "ins", box: int = FILMSTRIP_SIZE) -> str:
    """A small state: a picture of at most `box` pixels; or a text's changes since `before`, marked with the tag `mark`.

    Without `before`, a text shows its opening.
    """
    if state.picture is not None:
        return image_tag(state, "", box, wide=box * 3 // 2, lazy=True)
    return (
        opening(state.text)
        if before is None
        else highlight_tokens(state.text, {mark: changed_tokens(before.text, state.text)[1]})
    )


def action_chip(inference: Inference) -> str:
    """The action inferred for a step, with its probability and an arrow to the next state."""
    return f"<b>{action_text(inference.action)}</b><small>{format_probability(inference.log_prob)} →</small>"
