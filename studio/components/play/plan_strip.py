"""A plan as a filmstrip: the imagined states with the actions between them, and below them the true ones."""

from __future__ import annotations

import math
from collections.abc import Sequence

from studio.components.shared.filmstrip import state_card
from studio.components.shared.html import escape
from studio.components.shared.imagined_state import imagined_picture, imagined_text
from studio.components.shared.inferred_actions import action_text
from studio.components.shared.picture_frame import annotated_picture
from studio.components.shared.text_difference import highlight_tokens
from studio.services.goal_searches import GoalSearch, StripStep
from studio.view_models.formatting import format_percent
from studio.view_models.picture_difference import picture_difference
from studio.view_models.plan_words import first_parting, plan_verdict, real_verdict, trust_explanation, trust_word
from studio.view_models.text_difference import changed_tokens
from swirl.planning.search import Plan
from swirl.states import State

FRAME_SIZE = 128  # pixels: the room for a frame


def plan_strip(found: GoalSearch) -> str:
    """A column for the start, for each step that was taken or is planned, and for the goal, as far as it is a state."""
    plan, steps, goal = found.search.plan(), found.steps(), found.search.goal.state
    columns = [_start(found, steps[0].before if steps else plan.states[0])]
    columns += [_step(found, steps, place) for place in range(len(steps))]
    if goal is not None:
        columns.append(_goal(plan.states[-1], goal, plan.is_reached))
    classes = "pictured" if plan.states[0].picture is not None else ""
    both = " both" if found.done or found.walked else ""
    return (
        '<div class="scroll" tabindex="0" role="group" aria-label="The plan, from the start to the goal">'
        f'<ol class="ahead-strip plan-strip {classes}{both}" data-marks="outline">{"".join(columns)}</ol></div>'
    )


def plan_verdicts(found: GoalSearch, plan: Plan, true_distances: Sequence[int]) -> str:
    """What the plan reaches in imagination and, if it was carried out, for real."""
    tone = "good" if plan.is_reached else ""
    words = plan_verdict(plan.is_reached, plan.differences, len(plan.actions), found.unit, before=len(found.walked))
    html = f'<p class="verdict {tone}"><b>{words}</b></p>'
    if found.done is None:
        return html
    is_reached = 0 in true_distances
    unknown = [plan.actions[place] for place in found.done.unknown]
    words = real_verdict(
        is_reached, first_parting(found.same), unknown, true_distances[-1], found.unit, before=len(found.walked)
    )
    sign = "✓" if is_reached else "✕"
    return f'{html}<p class="verdict real {"good" if is_reached else "wrong"}"><b>{sign} {escape(words)}</b></p>'


def _start(found: GoalSearch, state: State) -> str:
    real = ""
    if not found.walked and found.done is not None:
        real = _true_state(None, found.done.states[0]) + _sameness(found.same[0], parts_here=not found.same[0])
    return (
        '<li class="step start"><span class="action">start</span><div class="state ours"><small>the state</small>'
        f"{state_card(None, state, box=FRAME_SIZE)}</div><span></span>{real}</li>"
    )


def _step(found: GoalSearch, steps: Sequence[StripStep], place: int) -> str:
    step = steps[place]
    is_again = place > 0 and step.search != steps[place - 1].search
    if step.imagined.picture is not None:
        view = imagined_picture(step.imagined, step.real, FRAME_SIZE, is_exact=step.same)
    else:
        truth = None if step.real is None else step.real.text
        view = imagined_text(step.before.text, step.imagined.text, truth)
    word, meaning = trust_word(step.read_back), trust_explanation(step.action, step.read_back)
    trust = (
        f'<span class="trust {word.split()[-1]}"><abbr title="{escape(meaning)}">'
        f"{word} · {format_percent(math.exp(min(0.0, step.read_back)))}</abbr></span>"
    )
    real = ""
    if step.real_before is not None and step.real is not None:
        parts_here = place == _parting(found, steps, step.search)
        real = _true_state(step.real_before, step.real) + _sameness(step.same is True, parts_here=parts_here)
    again = " · planned again" if is_again else ""
    return (
        f'<li class="step{" again" if is_again else ""}"><span class="action"><b>{action_text(step.action)}</b>'
        f"<small>step {place + 1}{again}</small></span>"
        f'<div class="state ours"><small>imagined</small>{view}</div>{trust}{real}</li>'
    )


def _parting(found: GoalSearch, steps: Sequence[StripStep], search: int) -> int | None:
    """The place of the first step of a plan that did not come as imagined; None if they had parted before it."""
    if search == found.number and found.same and not found.same[0]:
        return None
    return next((place for place, step in enumerate(steps) if step.search == search and step.same is False), None)


def _true_state(before: State | None, state: State) -> str:
    if before is None:
        view = state_card(None, state, box=FRAME_SIZE)
    elif state.picture is not None:
        view = annotated_picture(state, "The true state", FRAME_SIZE, marks=picture_difference(before, state))
    else:
        view = highlight_tokens(state.text, {"ins": changed_tokens(before.text, state.text)[1]})
    return f'<div class="state theirs"><small>for real</small>{view}</div>'


def _sameness(is_same: bool, *, parts_here: bool) -> str:
    """Whether the true state is the imagined one, and where the two part."""
    if is_same:
        return '<b class="good-text same-mark">✓ as imagined</b>'
    if parts_here:
        return '<b class="wrong-text same-mark parting">✕ parts here</b>'
    return '<b class="wrong-text same-mark">✕ differs</b>'


def _goal(last: State, goal: State, is_reached: bool) -> str:
    """The goal beside the last state, with what is still missing marked."""
    if goal.picture is not None:
        marks = None if is_reached else picture_difference(last, goal)
        view = annotated_picture(goal, "The goal", FRAME_SIZE, marks=marks, tone="wrong")
    elif is_reached:
        view = highlight_tokens(goal.text, {}, nothing="the last state is this one")
    else:
        view = highlight_tokens(goal.text, {"ins wrong": changed_tokens(last.text, goal.text)[1]}, nothing="reached")
    small = "the goal" if is_reached else "the goal; what is missing is marked"
    return (
        f'<li class="step goal"><span class="action">goal</span><div class="state wanted"><small>{small}</small>{view}'
        "</div></li>"
    )
