"""The parts of the labelling card: the transition, the model's suggestions and the labels given so far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from studio.components.shared.html import escape, format_probability
from studio.components.shared.inferred_actions import probability_bar, transition_changes
from studio.components.shared.picture_frame import annotated_picture
from studio.view_models.formatting import format_count
from studio.view_models.picture_difference import picture_difference
from swirl.history import HandLabel
from swirl.models import Inference
from swirl.states import Transition

MAX_USED_ACTIONS = 12  # actions listed with their counts; of the rest only the number is shown
MAX_RECENT_LABELS = 5


def labelling_card(transition: Transition, size: int) -> str:
    """Both states as HTML: frames of at most `size` pixels and their difference, or texts with changed words marked."""
    state, next_state = transition.state, transition.next_state
    if state.picture is None or next_state.picture is None:
        return transition_changes(state, next_state)
    marks = picture_difference(state, next_state)
    figures = (
        ("none", annotated_picture(state, "The state before", size), "before"),
        ("outline", annotated_picture(next_state, "The state after", size, marks=marks), "after, changes outlined"),
        ("heat", annotated_picture(next_state, "What differs", size, marks=marks), "difference"),
    )
    figures_html = "".join(
        f'<figure class="state" data-marks="{mark}">{frame}<figcaption>{caption}</figcaption></figure>'
        for mark, frame, caption in figures
    )
    return f'<div class="before-after">{figures_html}</div>'


def suggested_actions(inference: Inference) -> str:
    """The inferred actions as numbered buttons with their probabilities, the likeliest first; empty ones are left
    out."""
    options = [option for option in inference.alternatives if option.action.strip()]
    rows = "".join(
        f'<li><button type="button" class="suggestion" data-suggestion="{escape(option.action)}"><kbd>{number}</kbd>'
        f"<span>{escape(option.action)}</span>{probability_bar(option.log_prob)}"
        f'<small class="number">{format_probability(option.log_prob)}</small></button></li>'
        for number, option in enumerate(options, start=1)
    )
    return f'<ol class="suggestions">{rows}</ol>' if rows else '<p class="note">The model suggests no action.</p>'


def used_actions(actions: Sequence[str]) -> str:
    """The actions used so far with their counts, the most frequent first; a click copies one into the field."""
    if not actions:
        return '<p class="note">Actions you have used will be suggested as you type.</p>'
    counts = Counter(actions).most_common()
    rows = "".join(
        f'<li><button type="button" class="button-link" data-used="{escape(action)}">{escape(action)}</button>'
        f'<span class="number muted">{times}</span></li>'
        for action, times in counts[:MAX_USED_ACTIONS]
    )
    more = (
        f'<li class="muted">and {format_count(len(counts) - MAX_USED_ACTIONS)} more</li>'
        if len(counts) > MAX_USED_ACTIONS
        else ""
    )
    return f'<ul class="used">{rows}{more}</ul>'


def recent_labels(labels: Sequence[tuple[Transition, HandLabel]]) -> str:
    """The most recent labels and skips, newest first."""
    rows = "".join(
        f"<li>{escape(label.action) if label.action else '<i>skipped</i>'} "
        f'<small class="muted">{escape(transition.sequence_id)}, step {transition.step + 1}</small></li>'
        for transition, label in reversed(labels[-MAX_RECENT_LABELS:])
    )
    return f'<ol class="recent">{rows}</ol>' if rows else ""
