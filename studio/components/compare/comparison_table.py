"""Checkpoints side by side: what each said of the same transitions, and where they part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from studio.components.shared.compact_transition import compact_transition
from studio.components.shared.html import escape, format_probability
from studio.components.shared.picture_frame import annotated_picture
from studio.components.shared.text_difference import highlight_tokens
from studio.services.model_choices import PREVIEW_NOTE
from studio.view_models.comparison import CheckpointAnswer, describe_disagreement
from studio.view_models.formatting import format_decibels, pluralize
from studio.view_models.picture_difference import picture_difference
from studio.view_models.text_difference import changed_tokens, count_word_errors
from swirl.states import State, Transition

FRAME_SIZE = 84  # pixels: the room for a frame in a table


def compare_table(
    names: Mapping[str, str],
    transitions: Sequence[Transition],
    truths: Sequence[str | None],
    told: Mapping[str, Sequence[CheckpointAnswer | None]],
    order: Sequence[int],
) -> str:
    """The transitions in `order`; a side that was not asked yet is left waiting. Where all were, how they part."""
    rows = "".join(_row(transitions[i], truths[i], {side: told[side][i] for side in names}) for i in order)
    heads = "".join(_head(side, name, told[side]) for side, name in names.items())
    return (
        f'<table class="table compared sides-{len(names)}"><thead><tr><th scope="col">what happened</th>{heads}</tr>'
        f"</thead><tbody>{rows}</tbody></table>"
    )


def _head(side: str, name: str, answers: Sequence[CheckpointAnswer | None]) -> str:
    only_shows = any(found is not None and found.is_preview for found in answers)
    note = f'<small class="preview">{PREVIEW_NOTE}</small>' if only_shows else ""
    return f'<th scope="col"><span class="chip"><b>{side.upper()}</b> {escape(name)}</span>{note}</th>'


def _row(transition: Transition, truth: str | None, answers: Mapping[str, CheckpointAnswer | None]) -> str:
    action = f'<span class="chip">{escape(truth)}</span>' if truth is not None else ""
    cells = "".join(
        f'<td data-label="{side.upper()}">'
        f"{_answer_cell(transition.state, transition.next_state, found, truth is None)}</td>"
        for side, found in answers.items()
    )
    happened = compact_transition(transition.state, transition.next_state, FRAME_SIZE)
    known = {side: found for side, found in answers.items() if found is not None}
    apart = (
        f'<p class="parting small">{escape(describe_disagreement(known))}</p>' if len(known) == len(answers) > 1 else ""
    )
    return f'<tr><td class="transition">{action}{happened}{apart}</td>{cells}</tr>'


def _answer_cell(state: State, following: State, found: CheckpointAnswer | None, by_its_own: bool) -> str:
    if found is None:
        return '<span class="muted small">not asked yet</span>'
    imagined = (
        _frame(following, found)
        if found.frame is not None
        else f"<p>{_imagined(state.text, following.text, found)}</p>"
    )
    if found.is_preview:
        given = f'<p class="small muted">from “{escape(found.given_action)}”</p>' if by_its_own else ""
        return given + imagined
    wording = escape(found.action) or "(no words)"
    chance = format_probability(found.log_prob)
    said = f'<span class="chip inverse">{wording}</span> <span class="muted small">{chance}</span>'
    return f"<p>{_mark(found.action_right)} {said}</p>{imagined}"


def _frame(following: State, found: CheckpointAnswer) -> str:
    """An imagined frame with its errors marked, how many cells are wrong, and its distance in decibels."""
    like = found.likeness
    right = '<span class="good-text">✓ right</span>'
    wrong = (
        ""
        if like is None
        else f"✕ {like.total_cells - like.correct_cells} of {like.total_cells} cells off"
        if like.total_cells
        else "✕ not it"
    )
    off = f'<span class="wrong-text">{wrong}</span>'
    psnr = "" if like is None else f'<span class="muted small">{format_decibels(like.psnr)}</span>'
    marks = None if found.state_right else picture_difference(following, found.frame)
    picture = annotated_picture(found.frame, "The imagined next state", FRAME_SIZE, marks=marks, tone="wrong")
    return f'<div class="told">{picture}<span>{right if found.state_right else off}<br>{psnr}</span></div>'


def _mark(right: bool | None) -> str:
    if right is None:
        return ""
    return '<span class="good-text">✓ right</span>' if right else '<span class="wrong-text">✕ wrong</span>'


def _imagined(state: str, following: str, found: CheckpointAnswer) -> str:
    if found.state_right:
        return '<span class="good-text">✓ right</span> <span class="forward-text">the next state, to the letter</span>'
    off = count_word_errors(following, found.imagined)
    extent = pluralize(off, "word") + " off" if off else "differs in marks or spaces"
    _, came = changed_tokens(state, found.imagined)
    _, wrong = changed_tokens(following, found.imagined)
    text = highlight_tokens(
        found.imagined, {"ins forward": came, "ins wrong": wrong}, nothing="leaves out what happened"
    )
    return f'<span class="wrong-text">✕ {extent}</span> {text}'
