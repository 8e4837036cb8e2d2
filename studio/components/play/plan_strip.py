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
from studio.services.goal_searches import GoalSearch
from studio.view_models.formatting import format_percent
from studio.view_models.picture_difference import picture_difference
from studio.view_models.plan_words import first_parting, plan_verdict, real_verdict, trust_explanation, trust_word
from studio.view_models.text_difference import changed_tokens
from swirl.planning.search import Plan
from swirl.states import State

FRAME_SIZE = 128  # pixels: the room for a frame


def plan_strip(found: GoalSearch, plan: Plan) -> str:
    """A column for the start, for each step and for the goal, as far as it is a state."""
    columns = [_start(found, plan)]
    columns += [_step(found, plan, place) for place in range(len(plan.actions))]
    goal = found.search.goal.state
    if goal is not None:
        columns.append(_goal(plan.states[-1], goal, plan.is_reached))
    classes = "pictured" if plan.states[0].picture is not None else ""
    return (
        '<div class="scroll" tabindex="0" role="group" aria-label="The plan, from the start to the goal">'
        f'<ol class="ahead-strip plan-strip {classes}{" both" if found.done else ""}" data-marks="outline">'
        f"{''.join(columns)}</ol></div>"
    )


def plan_verdicts(found: GoalSearch, plan: Plan, true_distances: Sequence[int]) -> str:
    """What the plan reaches in imagination and, if it was carried out, for real."""
    tone = "good" if plan.is_reached else ""
    words = plan_verdict(plan.is_reached, plan.differences, len(plan.actions), found.unit)
    html = f'<p class="verdict {tone}"><b>{words}</b></p>'
    if found.done is None:
        return html
    is_reached = 0 in true_distances
    unknown = [plan.actions[place] for place in found.done.unknown]
    words = real_verdict(is_reached, first_parting(found.same), unknown, true_distances[-1], found.unit)
    sign = "✓" if is_reached else "✕"
    return f'{html}<p class="verdict real {"good" if is_reached else "wrong"}"><b>{sign} {escape(words)}</b></p>'


def _start(found: GoalSearch, plan: Plan) -> str:
    card = state_card(None, plan.states[0], box=FRAME_SIZE)
    real = ""
    if found.done is not None:
        real = _true_state(None, found.done.states[0]) + _sameness(found, 0)
    return (
        '<li class="step start"><span class="action">start</span><div class="state ours"><small>the state</small>'
        f"{card}</div><span></span>{real}</li>"
    )


def _step(found: GoalSearch, plan: Plan, place: int) -> str:
    before, state, action = plan.states[place], plan.states[place + 1], plan.actions[place]
    truth = found.done.states[place + 1] if found.done is not None else None
    if state.picture is not None:
        same = found.same[place + 1] if truth is not None else None
        view = imagined_picture(state, truth, FRAME_SIZE, is_exact=same)
    else:
        view = imagined_text(before.text, state.text, None if truth is None else truth.text)
    read_back = plan.read_back[place]
    word = trust_word(read_back)
    trust = (
        f'<span class="trust {word.split()[-1]}"><abbr title="{escape(trust_explanation(action, read_back))}">'
        f"{word} · {format_percent(math.exp(min(0.0, read_back)))}</abbr></span>"
    )
    real = ""
    if found.done is not None and truth is not None:
        real = _true_state(found.done.states[place], truth) + _sameness(found, place + 1)
    return (
        f'<li class="step"><span class="action"><b>{action_text(action)}</b><small>step {place + 1}</small></span>'
        f'<div class="state ours"><small>imagined</small>{view}</div>{trust}{real}</li>'
    )


def _true_state(before: State | None, state: State) -> str:
    if before is None:
        view = state_card(None, state, box=FRAME_SIZE)
    elif state.picture is not None:
        view = annotated_picture(state, "The true state", FRAME_SIZE, marks=picture_difference(before, state))
    else:
        view = highlight_tokens(state.text, {"ins": changed_tokens(before.text, state.text)[1]})
    return f'<div class="state theirs"><small>for real</small>{view}</div>'


def _sameness(found: GoalSearch, number: int) -> str:
    """Whether the true state is the imagined one, and where the two part."""
    if found.same[number]:
        return '<b class="good-text same-mark">✓ as imagined</b>'
    parts_here = number == first_parting(found.same)
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
