"""The table of the Compare page: each checkpoint's answers to the same transitions, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from studio.components.shared.compact_transition import compact_transition
from studio.components.shared.html import escape, format_probability
from studio.components.shared.imagined_state import imagined_picture, imagined_text
from studio.components.shared.inferred_actions import action_text
from studio.services.model_choices import PREVIEW_NOTE
from studio.view_models.comparison import CheckpointAnswer, describe_disagreement
from studio.view_models.formatting import format_decibels
from studio.view_models.text_difference import count_word_errors, describe_word_errors
from swirl.states import State, Transition

FRAME_SIZE = 84  # pixels: the room for a frame in a table
BASELINE_NOTE = "the baseline to beat"


def compare_table(
    names: Mapping[str, str],
    transitions: Sequence[Transition],
    truths: Sequence[str | None],
    answers: Mapping[str, Sequence[CheckpointAnswer | None]],
    order: Sequence[int],
) -> str:
    """The transitions with the indices in `order`, a column for each side; an answer still missing says so.

    A transition that every side has answered also says where the answers disagree.
    """
    rows = "".join(_row(transitions[i], truths[i], {side: answers[side][i] for side in names}) for i in order)
    heads = "".join(_head(side, name, answers[side]) for side, name in names.items())
    return (
        f'<table class="table compared sides-{len(names)}"><thead><tr><th scope="col">what happened</th>{heads}</tr>'
        f"</thead><tbody>{rows}</tbody></table>"
    )


def _head(side: str, name: str, answers: Sequence[CheckpointAnswer | None]) -> str:
    given = [answer for answer in answers if answer is not None]
    note = ""
    if any(answer.is_baseline for answer in given):
        note = f'<small class="muted baseline-note">{BASELINE_NOTE}</small>'
    elif any(answer.is_preview for answer in given):
        note = f'<small class="preview">{PREVIEW_NOTE}</small>'
    return f'<th scope="col"><span class="chip"><b>{side.upper()}</b> {escape(name)}</span>{note}</th>'


def _row(transition: Transition, truth: str | None, answers: Mapping[str, CheckpointAnswer | None]) -> str:
    action = f'<span class="chip">{escape(truth)}</span>' if truth is not None else ""
    cells = "".join(
        f'<td data-label="{side.upper()}">'
        f"{_answer_cell(transition.state, transition.next_state, answer, truth is None)}</td>"
        for side, answer in answers.items()
    )
    happened = compact_transition(transition.state, transition.next_state, FRAME_SIZE)
    given = {side: answer for side, answer in answers.items() if answer is not None}
    disagreement = (
        f'<p class="parting small">{escape(describe_disagreement(given))}</p>' if len(given) == len(answers) > 1 else ""
    )
    return f'<tr><td class="transition">{action}{happened}{disagreement}</td>{cells}</tr>'


def _answer_cell(state: State, next_state: State, answer: CheckpointAnswer | None, by_own_action: bool) -> str:
    if answer is None:
        return '<span class="muted small">not asked yet</span>'
    imagined = (
        _frame(next_state, answer)
        if answer.frame is not None
        else f"<p>{_text(state.text, next_state.text, answer)}</p>"
    )
    if answer.is_baseline:
        return imagined
    if answer.is_preview:
        given = f'<p class="small muted">from “{escape(answer.given_action)}”</p>' if by_own_action else ""
        return given + imagined
    probability = format_probability(answer.log_prob)
    action = f'<span class="chip inverse">{action_text(answer.action)}</span>'
    mark = _mark(answer.action_right)
    return f'<p>{mark} {action} <span class="muted small">{probability}</span></p>{imagined}'


def _frame(next_state: State, answer: CheckpointAnswer) -> str:
    """An imagined frame with its errors marked, how many of its cells are wrong, and its PSNR."""
    likeness = answer.likeness
    right = '<span class="good-text">✓ right</span>'
    errors = (
        ""
        if likeness is None
        else f"✕ {likeness.total_cells - likeness.correct_cells} of {likeness.total_cells} cells off"
        if likeness.total_cells
        else "✕ not the same"
    )
    wrong = f'<span class="wrong-text">{errors}</span>'
    psnr = "" if likeness is None else f'<span class="muted small">{format_decibels(likeness.psnr)}</span>'
    picture = imagined_picture(answer.frame, next_state, FRAME_SIZE, is_exact=answer.state_right)
    return f'<div class="told">{picture}<span>{right if answer.state_right else wrong}<br>{psnr}</span></div>'


def _mark(right: bool | None) -> str:
    if right is None:
        return ""
    return '<span class="good-text">✓ right</span>' if right else '<span class="wrong-text">✕ wrong</span>'


def _text(state: str, next_state: str, answer: CheckpointAnswer) -> str:
    """An imagined text with its errors marked, and how many of its words are wrong."""
    if answer.state_right:
        return '<span class="good-text">✓ right</span> <span class="forward-text">the next state, to the letter</span>'
    extent = describe_word_errors(count_word_errors(next_state, answer.imagined), next_state)
    text = imagined_text(state, answer.imagined, next_state, nothing="leaves out what happened")
    return f'<span class="wrong-text">✕ {extent}</span> {text}'
