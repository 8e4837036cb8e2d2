"""Several steps ahead: the imagined states above the true ones, with what differs marked, and how like they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from studio.components.shared.filmstrip import card
from studio.components.shared.frame import framed
from studio.components.shared.html import escape
from studio.components.shared.text_difference import marked
from studio.view_models.numbers import counted, decibels, percent
from studio.view_models.picture_difference import difference
from studio.view_models.text_difference import changes, words_off
from swirl import pictures
from swirl.states import State

if TYPE_CHECKING:
    from swirl.evaluation.unrolling import Likeness, Rollout

ROOM = 128  # pixels: the room for a frame
LIKE = "The share of its {parts} that are as in the true state; beside it what the unchanged start would have."


def ahead(found: Rollout) -> str:
    """A column for each step: the action, the imagined state, the true one, and both likenesses."""
    columns = "".join(_column(found, index) for index in range(len(found.states)))
    start = (
        '<li class="step start"><span class="action">start</span>'
        f'<div class="state">{card(None, found.start, box=ROOM)}</div></li>'
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
    like = _like(found, index)
    return (
        f'<li class="step"><span class="action"><b>{escape(found.actions[index]) or "(no words)"}</b>'
        f"<small>step {index + 1}</small></span>"
        f'<div class="state ours"><small>imagined</small>{_imagined(before, imagined, truth)}</div>'
        f'<div class="state theirs"><small>true</small>{seen}</div>{like}</li>'
    )


def _imagined(before: State, state: State, truth: State | None) -> str:
    if state.picture is not None:
        marks = None if truth is None or pictures.key(state) == pictures.key(truth) else difference(truth, state)
        return framed(state, "The imagined state", ROOM, marks=marks, tone="wrong")
    came = changes(before.text, state.text)[1]
    wrong = changes(truth.text, state.text)[1] if truth is not None else frozenset()
    return marked(state.text, {"ins forward": came, "ins wrong": wrong}, nothing="it changes nothing")


def _true(before: State, state: State) -> str:
    if state.picture is not None:
        return framed(state, "The true state", ROOM, marks=difference(before, state))
    return marked(state.text, {"ins": changes(before.text, state.text)[1]})


def _like(found: Rollout, index: int) -> str:
    """How like the truth the imagined state is, beside the unchanged start."""
    if index >= len(found.likeness):
        return ""
    ours, copied = found.likeness[index], found.copied[index]
    truth, imagined = found.truth[index], found.states[index]
    parts = "words" if truth.picture is None else "cells"
    off = words_off(truth.text, imagined.text) if truth.picture is None else 0
    wrong = f"{counted(off, 'word')} off" if off else "not exact"
    exact = '<b class="good-text">✓ exact</b>' if ours.exact_match else f'<b class="wrong-text">✕ {wrong}</b>'
    return (
        f'<div class="likeness">{exact}<abbr title="{LIKE.format(parts=parts)}"><span class="bar forward">'
        f'<i style="width:{100 * ours.token_accuracy:.0f}%"></i></span>{_said(ours)}</abbr>'
        f'<small class="muted"><span class="bar"><i style="width:{100 * copied.token_accuracy:.0f}%"></i></span>'
        f"copying {_said(copied)}</small></div>"
    )


def _said(like: Likeness) -> str:
    psnr = "" if like.psnr is None else f", {decibels(like.psnr)}"
    return f"{percent(like.token_accuracy)}{psnr}"


def _verdict(found: Rollout) -> str:
    """In words: how far it is exact, and against what."""
    if not found.likeness:
        return '<p class="note">Nothing was observed here to compare with.</p>'
    right = [bool(like.exact_match) for like in found.likeness]
    copied = sum(bool(like.exact_match) for like in found.copied)
    steps = len(right)
    first = next((i for i, fine in enumerate(right) if not fine), None)
    drift = "it follows the truth to the end" if first is None else f"the first drift is at step {first + 1}"
    by = "actions that you gave" if found.given else "actions inferred from the real sequence"
    return (
        f'<p class="note">With {by}, {sum(right)} of {counted(steps, "state")} exact; {drift}. The unchanged start '
        f"would be exact in {copied} of {steps}.</p>"
    )
