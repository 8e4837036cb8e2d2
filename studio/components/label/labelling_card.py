"""What a person sees while labelling: the transition, the suggestions, what was said so far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from studio.components.shared.frame import framed
from studio.components.shared.html import chance, escape
from studio.components.shared.inferred_action import happened, width
from studio.view_models.numbers import count
from studio.view_models.picture_difference import difference
from swirl.history import HandLabel
from swirl.models import Inference
from swirl.states import Transition

LISTED = 12  # actions shown with how often each was used; the rest are counted
RECENT = 5


def to_label(transition: Transition, room: int) -> str:
    """Before, after and where they differ, as frames of at most `room` pixels; or both texts, changed words marked."""
    state, next_state = transition.state, transition.next_state
    if state.picture is None or next_state.picture is None:
        return happened(state, next_state)
    marks = difference(state, next_state)
    figures = (
        ("none", framed(state, "The state before", room), "before"),
        ("outline", framed(next_state, "The state after", room, marks=marks), "after, changes outlined"),
        ("heat", framed(next_state, "What differs", room, marks=marks), "difference"),
    )
    shown = "".join(
        f'<figure class="state" data-marks="{mark}">{frame}<figcaption>{caption}</figcaption></figure>'
        for mark, frame, caption in figures
    )
    return f'<div class="before-after">{shown}</div>'


def suggestions(found: Inference) -> str:
    """The model's actions as numbered buttons, each with its probability, the likeliest first; those without words
    are none."""
    options = [option for option in found.alternatives if option.action.strip()]
    rows = "".join(
        f'<li><button type="button" class="suggestion" data-suggestion="{escape(option.action)}"><kbd>{number}</kbd>'
        f'<span>{escape(option.action)}</span><span class="bar inverse"><i style="width:{width(option.log_prob)}">'
        f'</i></span><small class="number">{chance(option.log_prob)}</small></button></li>'
        for number, option in enumerate(options, start=1)
    )
    return f'<ol class="suggestions">{rows}</ol>' if rows else '<p class="note">The model finds no words for it.</p>'


def used(actions: Sequence[str]) -> str:
    """The actions used so far and how often, the commonest first; a press takes one into the field."""
    if not actions:
        return '<p class="note">What you type is offered again while you type.</p>'
    counts = Counter(actions).most_common()
    rows = "".join(
        f'<li><button type="button" class="button-link" data-used="{escape(action)}">{escape(action)}</button>'
        f'<span class="number muted">{times}</span></li>'
        for action, times in counts[:LISTED]
    )
    more = f'<li class="muted">and {count(len(counts) - LISTED)} more</li>' if len(counts) > LISTED else ""
    return f'<ul class="used">{rows}{more}</ul>'


def recent(said: Sequence[tuple[Transition, HandLabel]]) -> str:
    """The newest things said, newest first."""
    rows = "".join(
        f"<li>{escape(label.action) if label.action else '<i>skipped</i>'} "
        f'<small class="muted">{escape(transition.sequence_id)}, step {transition.step + 1}</small></li>'
        for transition, label in reversed(said[-RECENT:])
    )
    return f'<ol class="recent">{rows}</ol>' if rows else ""
