"""A rollout several steps ahead: the imagined states above the true ones, errors marked, with their accuracy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from studio.components.shared.filmstrip import state_card
from studio.components.shared.imagined_state import imagined_picture, imagined_text
from studio.components.shared.inferred_actions import action_text
from studio.components.shared.picture_frame import annotated_picture
from studio.components.shared.share_bar import share_bar
from studio.components.shared.text_difference import highlight_tokens
from studio.view_models.formatting import format_decibels, format_percent, pluralize
from studio.view_models.picture_difference import picture_difference
from studio.view_models.text_difference import changed_tokens, count_word_errors, describe_word_errors
from swirl.states import State

if TYPE_CHECKING:
    from swirl.evaluation.unrolling import Likeness, Rollout

FRAME_SIZE = 128  # pixels: the room for a frame
LIKENESS_HELP = "The share of {parts} that match the true state. Below it, the same for the unchanged start state."


def rollout_strip(rollout: Rollout) -> str:
    """A column for each step: the action, the imagined state, the true one, and how well the two match."""
    columns = "".join(_column(rollout, index) for index in range(len(rollout.states)))
    start = (
        '<li class="step start"><span class="action">start</span>'
        f'<div class="state">{state_card(None, rollout.start, box=FRAME_SIZE)}</div></li>'
    )
    pictured = " pictured" if rollout.start.picture is not None else ""
    return (
        '<div class="scroll" tabindex="0" role="group" aria-label="Imagined states above the true ones">'
        f'<ol class="ahead-strip{pictured}" data-marks="outline">{start}{columns}</ol></div>{_verdict(rollout)}'
    )


def _column(rollout: Rollout, index: int) -> str:
    imagined = rollout.states[index]
    before = rollout.states[index - 1] if index else rollout.start
    truth = rollout.truth[index] if index < len(rollout.truth) else None
    true_before = rollout.truth[index - 1] if index and truth is not None else rollout.start
    observed = _true(true_before, truth) if truth is not None else '<p class="muted small">past the end</p>'
    return (
        f'<li class="step"><span class="action"><b>{action_text(rollout.actions[index])}</b>'
        f"<small>step {index + 1}</small></span>"
        f'<div class="state ours"><small>imagined</small>{_imagined(before, imagined, truth)}</div>'
        f'<div class="state theirs"><small>true</small>{observed}</div>{_likeness_bars(rollout, index)}</li>'
    )


def _imagined(before: State, state: State, truth: State | None) -> str:
    if state.picture is not None:
        return imagined_picture(state, truth, FRAME_SIZE)
    return imagined_text(before.text, state.text, None if truth is None else truth.text)


def _true(before: State, state: State) -> str:
    if state.picture is not None:
        return annotated_picture(state, "The true state", FRAME_SIZE, marks=picture_difference(before, state))
    return highlight_tokens(state.text, {"ins": changed_tokens(before.text, state.text)[1]})


def _likeness_bars(rollout: Rollout, index: int) -> str:
    """How well the imagined state matches the true one, above the same for copying the start state."""
    if index >= len(rollout.likeness):
        return ""
    ours, copied = rollout.likeness[index], rollout.copy_likeness[index]
    truth, imagined = rollout.truth[index], rollout.states[index]
    parts = "words" if truth.picture is None else "cells"
    is_text = truth.picture is None
    wrong = describe_word_errors(count_word_errors(truth.text, imagined.text), truth.text) if is_text else "not exact"
    exact = '<b class="good-text">✓ exact</b>' if ours.exact_match else f'<b class="wrong-text">✕ {wrong}</b>'
    return (
        f'<div class="likeness">{exact}<abbr title="{LIKENESS_HELP.format(parts=parts)}">'
        f"{share_bar(ours.token_accuracy, 'forward')}{_format_likeness(ours)}</abbr>"
        f'<small class="muted">{share_bar(copied.token_accuracy)}'
        f"copying {_format_likeness(copied)}</small></div>"
    )


def _format_likeness(likeness: Likeness) -> str:
    psnr = "" if likeness.psnr is None else f", {format_decibels(likeness.psnr)}"
    return f"{format_percent(likeness.token_accuracy)}{psnr}"


def _verdict(rollout: Rollout) -> str:
    """How many states are exact and where the first error is, beside copying the start state."""
    if not rollout.likeness:
        return '<p class="note">The sequence ends here, so there are no true states to compare with.</p>'
    right = [bool(likeness.exact_match) for likeness in rollout.likeness]
    copied = sum(bool(likeness.exact_match) for likeness in rollout.copy_likeness)
    steps = len(right)
    first = next((i for i, is_exact in enumerate(right) if not is_exact), None)
    drift = "no drift" if first is None else f"the first drift is at step {first + 1}"
    by = "actions that you gave" if rollout.has_given_actions else "actions inferred from the real sequence"
    return (
        f'<p class="note">With {by}, {sum(right)} of {pluralize(steps, "state")} exact; {drift}. Copying the start '
        f"state would be exact in {copied} of {steps}.</p>"
    )
