"""Checkpoints side by side: what each said of the same transitions, and where they part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from studio.components.shared.frame import framed
from studio.components.shared.html import chance, escape
from studio.components.shared.text_difference import marked
from studio.components.shared.transition import both
from studio.services.model_choices import PREVIEW
from studio.view_models.comparison import Told, parting
from studio.view_models.numbers import counted, decibels
from studio.view_models.picture_difference import difference
from studio.view_models.text_difference import changes, words_off
from swirl.states import State, Transition

SMALL = 84  # pixels: the room for a frame in a table


def compare_table(
    names: Mapping[str, str],
    transitions: Sequence[Transition],
    truths: Sequence[str | None],
    told: Mapping[str, Sequence[Told | None]],
    order: Sequence[int],
) -> str:
    """The transitions in `order`; a side that was not asked yet is left waiting. Where all were, how they part."""
    rows = "".join(_row(transitions[i], truths[i], {side: told[side][i] for side in names}) for i in order)
    heads = "".join(_head(side, name, told[side]) for side, name in names.items())
    return (
        f'<table class="table compared sides-{len(names)}"><thead><tr><th scope="col">what happened</th>{heads}</tr>'
        f"</thead><tbody>{rows}</tbody></table>"
    )


def _head(side: str, name: str, answers: Sequence[Told | None]) -> str:
    only_shows = any(found is not None and found.preview for found in answers)
    note = f'<small class="preview">{PREVIEW}</small>' if only_shows else ""
    return f'<th scope="col"><span class="chip"><b>{side.upper()}</b> {escape(name)}</span>{note}</th>'


def _row(transition: Transition, truth: str | None, answers: Mapping[str, Told | None]) -> str:
    action = f'<span class="chip">{escape(truth)}</span>' if truth is not None else ""
    cells = "".join(
        f'<td data-label="{side.upper()}">{_told(transition.state, transition.next_state, found, truth is None)}</td>'
        for side, found in answers.items()
    )
    happened = both(transition.state, transition.next_state, SMALL)
    known = {side: found for side, found in answers.items() if found is not None}
    apart = f'<p class="parting small">{escape(parting(known))}</p>' if len(known) == len(answers) > 1 else ""
    return f'<tr><td class="transition">{action}{happened}{apart}</td>{cells}</tr>'


def _told(state: State, following: State, found: Told | None, by_its_own: bool) -> str:
    if found is None:
        return '<span class="muted small">not asked yet</span>'
    imagined = (
        _frame(following, found)
        if found.frame is not None
        else f"<p>{_imagined(state.text, following.text, found)}</p>"
    )
    if found.preview:
        given = f'<p class="small muted">from “{escape(found.given)}”</p>' if by_its_own else ""
        return given + imagined
    wording = escape(found.action) or "(no words)"
    said = f'<span class="chip inverse">{wording}</span> <span class="muted small">{chance(found.log_prob)}</span>'
    return f"<p>{_mark(found.action_right)} {said}</p>{imagined}"


def _frame(following: State, found: Told) -> str:
    """An imagined frame with its errors marked, how many cells are wrong, and its distance in decibels."""
    like = found.likeness
    right = '<span class="good-text">✓ right</span>'
    wrong = (
        "" if like is None else f"✕ {like.cells - like.right} of {like.cells} cells off" if like.cells else "✕ not it"
    )
    off = f'<span class="wrong-text">{wrong}</span>'
    psnr = "" if like is None else f'<span class="muted small">{decibels(like.psnr)}</span>'
    marks = None if found.state_right else difference(following, found.frame)
    picture = framed(found.frame, "The imagined next state", SMALL, marks=marks, tone="wrong")
    return f'<div class="told">{picture}<span>{right if found.state_right else off}<br>{psnr}</span></div>'


def _mark(right: bool | None) -> str:
    if right is None:
        return ""
    return '<span class="good-text">✓ right</span>' if right else '<span class="wrong-text">✕ wrong</span>'


def _imagined(state: str, following: str, found: Told) -> str:
    if found.state_right:
        return '<span class="good-text">✓ right</span> <span class="forward-text">the next state, to the letter</span>'
    off = words_off(following, found.imagined)
    extent = counted(off, "word") + " off" if off else "differs in marks or spaces"
    _, came = changes(state, found.imagined)
    _, wrong = changes(following, found.imagined)
    text = marked(found.imagined, {"ins forward": came, "ins wrong": wrong}, nothing="leaves out what happened")
    return f'<span class="wrong-text">✕ {extent}</span> {text}'
