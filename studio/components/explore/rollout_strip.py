"""Several steps ahead: the imagined states above the true ones, with what differs marked, and how like they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from studio.components.shared.filmstrip import state_card
from studio.components.shared.html import escape
from studio.components.shared.picture_frame import annotated_picture
from studio.components.shared.text_difference import highlight_tokens
from studio.view_models.formatting import format_decibels, format_percent, pluralize
from studio.view_models.picture_difference import picture_difference
from studio.view_models.text_difference import changed_tokens, count_word_errors
from swirl import pictures
from swirl.states import State

if TYPE_CHECKING:
    from swirl.evaluation.unrolling import Likeness, Rollout

FRAME_SIZE = 128  # pixels: the room for a frame
LIKENESS_HELP = "The share of its {parts} that are as in the true state; beside it what the unchanged start would have."


def rollout_strip(found: Rollout) -> str:
    """A column for each step: the action, the imagined state, the true one, and both likenesses."""
    columns = "".join(_column(found, index) for index in range(len(found.states)))
    start = (
        '<li class="step start"><span class="action">start</span>'
        f'<div class="state">{state_card(None, found.start, box=FRAME_SIZE)}</div></li>'
    )
    pictured = " pictured" if found.start.picture is not None else ""
    return (
        '<div class="scroll" tabindex="0" role="group" aria-label="Imagined states above the true ones">'
        f'<ol class="ahead-strip{pictured}" data-marks="outline">{start}{columns}</ol></div>{_verdict(found)}'
    )


def _column(found: Rollout, index: int) -> str:
    imagined = found.states[index]
    before = found.states[index - 1] if index else found.start
    truth = found.truth[index] if index < len(found.truth) else None
    earlier = found.truth[index - 1] if index and truth is not None else found.start
    seen = _true(earlier, truth) if truth is not None else '<p class="muted small">not observed any more</p>'
    like = _likeness_bars(found, index)
    return (
        f'<li class="step"><span class="action"><b>{escape(found.actions[index]) or "(no words)"}</b>'
        f"<small>step {index + 1}</small></span>"
        f'<div class="state ours"><small>imagined</small>{_imagined(before, imagined, truth)}</div>'
        f'<div class="state theirs"><small>true</small>{seen}</div>{like}</li>'
    )


def _imagined(before: State, state: State, truth: State | None) -> str:
    if state.picture is not None:
        marks = (
            None
            if truth is None or pictures.state_key(state) == pictures.state_key(truth)
            else picture_difference(truth, state)
        )
        return annotated_picture(state, "The imagined state", FRAME_SIZE, marks=marks, tone="wrong")
    came = changed_tokens(before.text, state.text)[1]
    wrong = changed_tokens(truth.text, state.text)[1] if truth is not None else frozenset()
    return highlight_tokens(state.text, {"ins forward": came, "ins wrong": wrong}, nothing="it changes nothing")


def _true(before: State, state: State) -> str:
    if state.picture is not None:
        return annotated_picture(state, "The true state", FRAME_SIZE, marks=picture_difference(before, state))
    return highlight_tokens(state.text, {"ins": changed_tokens(before.text, state.text)[1]})


def _likeness_bars(found: Rollout, index: int) -> str:
    """How like the truth the imagined state is, beside the unchanged start."""
    if index >= len(found.likeness):
        return ""
    ours, copied = found.likeness[index], found.copy_likeness[index]
    truth, imagined = found.truth[index], found.states[index]
    parts = "words" if truth.picture is None else "cells"
    off = count_word_errors(truth.text, imagined.text) if truth.picture is None else 0
    wrong = f"{pluralize(off, 'word')} off" if off else "not exact"
    exact = '<b class="good-text">✓ exact</b>' if ours.exact_match else f'<b class="wrong-text">✕ {wrong}</b>'
    return (
        f'<div class="likeness">{exact}<abbr title="{LIKENESS_HELP.format(parts=parts)}"><span class="bar forward">'
        f'<i style="width:{100 * ours.token_accuracy:.0f}%"></i></span>{_format_likeness(ours)}</abbr>'
        f'<small class="muted"><span class="bar"><i style="width:{100 * copied.token_accuracy:.0f}%"></i></span>'
        f"copying {_format_likeness(copied)}</small></div>"
    )


def _format_likeness(like: Likeness) -> str:
    psnr = "" if like.psnr is None else f", {format_decibels(like.psnr)}"
    return f"{format_percent(like.token_accuracy)}{psnr}"


def _verdict(found: Rollout) -> str:
    """In words: how far it is exact, and against what."""
    if not found.likeness:
        return '<p class="note">Nothing was observed here to compare with.</p>'
    right = [bool(like.exact_match) for like in found.likeness]
    copied = sum(bool(like.exact_match) for like in found.copy_likeness)
    steps = len(right)
    first = next((i for i, fine in enumerate(right) if not fine), None)
    drift = "it follows the truth to the end" if first is None else f"the first drift is at step {first + 1}"
    by = "actions that you gave" if found.has_given_actions else "actions inferred from the real sequence"
    return (
        f'<p class="note">With {by}, {sum(right)} of {pluralize(steps, "state")} exact; {drift}. The unchanged start '
        f"would be exact in {copied} of {steps}.</p>"
    )
