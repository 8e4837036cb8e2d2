"""What the forward model imagines for a transition: its errors against the true next state, and log-probabilities."""

from __future__ import annotations

from studio.components.explore.comparison_slider import comparison_slider
from studio.components.shared.html import escape
from studio.components.shared.imagined_state import imagined_text
from studio.services.transition_predictions import PredictionComparison, TransitionPrediction
from studio.view_models.formatting import NO_BREAK_SPACE, format_decibels, format_signed, pluralize
from studio.view_models.frame_similarity import FrameSimilarity
from studio.view_models.picture_difference import picture_difference
from studio.view_models.text_difference import changed_tokens, describe_word_errors, unit_name
from swirl.states import State

LOG_P = (
    "log P(y | x, z): the forward model's log-probability of the true next state, given the state and the action, "
    "in nats, summed over all its {parts}. 0 is certainty. It is the reward of the inverse phase (section 3.2 of the "
    "paper)."
)
SHUFFLED = "The same with an action inferred elsewhere in this sequence. If actions carry meaning, this is lower."
COPYING = "How many {parts} of the next state are right when the state is simply copied: the baseline to beat."
PSNR = (
    "Peak signal-to-noise ratio of the imagined frame against the true one: 10 log10(255² / mean squared error). "
    "Higher is better. The figure beside it is for copying the state."
)
SLIDER_LABELS = ("imagined", "the truth")
SLIDER_HINT = (
    '<p class="note">Drag the divider, or focus it and press <kbd>←</kbd> <kbd>→</kbd>, to uncover the truth.</p>'
)


def imagined_states(comparison: PredictionComparison, state: State, next_state: State, *, lost: bool = False) -> str:
    """The imagined next states with their errors marked, above the figures.

    `lost` says that the codec cannot tell such frames apart, so the number of correct cells means nothing and is
    left out.
    """
    inferred, other = comparison.inferred, comparison.other
    parts = unit_name(next_state.text) if next_state.picture is None else "cells"
    figures = [
        figure_tile(
            "log P(next | action)", format_signed(inferred.log_prob), "nats", LOG_P.format(parts=parts), "forward"
        )
    ]
    views = [imagined_state_figure(inferred, state, next_state, "inferred action", lost)]
    if other is not None:
        figures.append(figure_tile("with a shuffled action", format_signed(other.log_prob), "nats", SHUFFLED))
        views.append(imagined_state_figure(other, state, next_state, f"instead: {other.action}", lost))
    figures += baseline_figures(comparison, next_state, lost)
    hint = "" if next_state.picture is None else SLIDER_HINT
    return f'<div class="states">{"".join(views)}</div>{hint}<div class="figures">{"".join(figures)}</div>'


def baseline_figures(comparison: PredictionComparison, next_state: State, lost: bool) -> list[str]:
    """What copying the state would get right; for pictures also the PSNR of the imagined frame."""
    guess, copied = comparison.inferred.likeness, comparison.copied
    if guess is None or copied is None:
        share = f"{comparison.copied_words} of {comparison.words}"
        units = unit_name(next_state.text)
        return [figure_tile("copying the state", share, units, COPYING.format(parts=units))]
    value, _, unit = format_decibels(guess.psnr).partition(NO_BREAK_SPACE)
    against = f"{unit} · copying {format_decibels(copied.psnr)}".strip(" ·")
    psnr = figure_tile("PSNR", value, against, PSNR, "forward")
    if lost:
        return [psnr]
    share = f"{copied.correct_cells} of {copied.total_cells}"
    return [figure_tile("copying the state", share, "cells", COPYING.format(parts="cells")), psnr]


def imagined_state_figure(
    guess: TransitionPrediction, state: State, next_state: State, caption: str, lost: bool = False
) -> str:
    """One imagined state with its changes in blue, its errors in red, and how many words or cells are wrong."""
    if guess.likeness is not None:
        return imagined_picture_figure(guess.state, next_state, guess.likeness, caption, lost)
    missing, wrong = changed_tokens(next_state.text, guess.state.text)
    text = imagined_text(state.text, guess.state.text, next_state.text)
    exact = guess.state.text == next_state.text
    off = "exact" if exact else describe_word_errors(guess.words_off, next_state.text)
    lacking = " lacking" if missing and not wrong else ""
    return (
        f'<figure class="state{lacking}">{text}<figcaption>{escape(caption)}: '
        f'<b class="{"good-text" if exact else "wrong-text"}">{off}</b></figcaption></figure>'
    )


def imagined_picture_figure(guess: State, truth: State, like: FrameSimilarity, caption: str, lost: bool) -> str:
    """One imagined frame over the true one with a divider, and how many cells are wrong (if `lost`, the PSNR)."""
    off = f'<b class="wrong-text">{format_decibels(like.psnr)}</b>' if lost else describe_cell_errors(like)
    return (
        '<figure class="state">'
        f"{comparison_slider(guess, truth, SLIDER_LABELS, picture_difference(truth, guess))}<figcaption>"
        f'<span class="clamped">{escape(caption)}:</span> {off}</figcaption></figure>'
    )


def describe_cell_errors(like: FrameSimilarity) -> str:
    """`exact` in green, or how many of the codec's cells are wrong in red."""
    if like.is_exact:
        return '<b class="good-text">exact</b>'
    return (
        f'<b class="wrong-text">{like.total_cells - like.correct_cells} of {pluralize(like.total_cells, "cell")} '
        "off</b>"
    )


def figure_tile(caption: str, value: str, unit: str, meaning: str, kind: str = "") -> str:
    """A large number with its unit below a caption; `meaning` is the caption's tooltip."""
    return (
        f'<div class="figure {kind}"><small><abbr title="{escape(meaning)}">{escape(caption)}</abbr></small>'
        f"<b>{value} <span>{unit}</span></b></div>"
    )
