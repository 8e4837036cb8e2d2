"""Two checkpoints side by side: what each said of the same transitions, and their metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from studio.components.frame import framed
from studio.components.html import chance, escape
from studio.components.text_diff import changes, marked, words_off
from studio.components.transition import both
from studio.view_models.comparison import SIDES, Told
from studio.view_models.metric_rows import MetricRow
from studio.view_models.numbers import counted, decibels
from studio.view_models.picture_difference import difference
from swirl.states import State, Transition

SMALL = 84  # pixels: the room for a frame in a table


def compare_table(
    names: Mapping[str, str],
    transitions: Sequence[Transition],
    truths: Sequence[str | None],
    told: Mapping[str, Sequence[Told | None]],
    order: Sequence[int],
) -> str:
    """The transitions in `order`; a side that was not asked yet is left waiting."""
    rows = "".join(_row(transitions[i], truths[i], [told[side][i] for side in SIDES]) for i in order)
    heads = "".join(
        f'<th scope="col"><span class="chip"><b>{side.upper()}</b> {escape(names[side])}</span></th>' for side in SIDES
    )
    return (
        f'<table class="table compared"><thead><tr><th scope="col">what happened</th>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def _row(transition: Transition, truth: str | None, answers: Sequence[Told | None]) -> str:
    action = f'<span class="chip">{escape(truth)}</span>' if truth is not None else ""
    cells = "".join(
        f'<td data-label="{side.upper()}">{_told(transition.state, transition.next_state, found)}</td>'
        for side, found in zip(SIDES, answers, strict=True)
    )
    happened = both(transition.state, transition.next_state, SMALL)
    return f'<tr><td class="transition">{action}{happened}</td>{cells}</tr>'


def _told(state: State, following: State, found: Told | None) -> str:
    if found is None:
        return '<span class="muted small">not asked yet</span>'
    wording = escape(found.action) or "(no words)"
    said = f'<span class="chip inverse">{wording}</span> <span class="muted small">{chance(found.log_prob)}</span>'
    if found.frame is not None:
        return f"<p>{_mark(found.action_right)} {said}</p>{_frame(following, found)}"
    return f"<p>{_mark(found.action_right)} {said}</p><p>{_imagined(state.text, following.text, found)}</p>"


def _frame(following: State, found: Told) -> str:
    """An imagined frame with its errors marked, how many cells are wrong, and its distance in decibels."""
    like = found.likeness
    right = '<span class="good-text">✓ right</span>'
    wrong = "" if like is None else f"✕ {like.cells - like.right} of {like.cells} cells off"
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


def metrics_table(rows: Sequence[MetricRow], names: Mapping[str, str]) -> str:
    """The metrics of both; where the intervals part, the better one is marked."""
    if not rows:
        return '<p class="note">Neither was measured on these data yet.</p>'
    body = "".join(
        f'<tr><th scope="row"><abbr title="{escape(f"{row.help} ({row.name})")}">{escape(row.words)}</abbr></th>'
        f"{_figure(row.a, row.better == 'a')}{_figure(row.b, row.better == 'b')}</tr>"
        for row in rows
    )
    heads = "".join(
        f'<th scope="col" class="number" title="{escape(names[side])}">{side.upper()}</th>' for side in SIDES
    )
    head = f'<thead><tr><th scope="col">metric</th>{heads}</tr></thead>'
    return f'<table class="table metrics">{head}<tbody>{body}</tbody></table>'


def _figure(text: str, better: bool) -> str:
    mark = ' <span class="good-text" title="Better beyond doubt: the intervals do not meet">✓</span>' if better else ""
    return f'<td class="number">{escape(text)}{mark}</td>'
