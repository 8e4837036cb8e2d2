"""What the forward model imagines for a transition, beside the truth, with its log-probabilities."""

from __future__ import annotations

from studio.components.explore.comparison_slider import comparison_slider
from studio.components.shared.html import escape
from studio.components.shared.text_difference import highlight_tokens
from studio.services.transition_predictions import PredictionComparison, TransitionPrediction
from studio.view_models.formatting import NO_BREAK_SPACE, format_decibels, format_signed, pluralize
from studio.view_models.frame_similarity import FrameSimilarity
from studio.view_models.picture_difference import picture_difference
from studio.view_models.text_difference import changed_tokens
from swirl.states import State

LOG_P = (
    "log P(y | x, z): how likely the forward model finds the true next state, given the state and the action, "
    "in nats over all its {parts}. 0 is certainty. It is the inverse phase's reward (section 3.2 of the paper)."
)
SHUFFLED = "The same with an action inferred elsewhere in this sequence; where actions mean something, this is worse."
COPYING = "How many {parts} of the next state are right when the state is simply repeated: the baseline to beat."
PSNR = (
    "Peak signal-to-noise ratio of the imagined frame against the true one: 10 log10(255² / mean squared error). "
    "Higher is better; beside it that of simply repeating the state."
)
SLIDER_LABELS = ("imagined", "the truth")


DIVIDER = '<p class="note">Drag the divider, or focus it and press <kbd>←</kbd> <kbd>→</kbd>, to uncover the truth.</p>'


def imagined_states(comparison: PredictionComparison, state: State, next_state: State, *, lost: bool = False) -> str:
    """The imagined next states, what is wrong marked, over some figures.

    `lost` says that the model is out of its depth: to it all such frames may look alike, so its cells count nothing.
    """
    one, other = comparison.inferred, comparison.other
    parts = "words" if next_state.picture is None else "cells"
    figures = [
        figure_tile("log P(next | action)", format_signed(one.log_prob), "nats", LOG_P.format(parts=parts), "forward")
    ]
    views = [imagined_state_figure(one, state, next_state, "inferred action", lost)]
    if other is not None:
        figures.append(figure_tile("with a shuffled action", format_signed(other.log_prob), "nats", SHUFFLED))
        views.append(imagined_state_figure(other, state, next_state, f"instead: {other.action}", lost))
    figures += baseline_figures(comparison, lost)
    hint = "" if next_state.picture is None else DIVIDER
    return f'<div class="states">{"".join(views)}</div>{hint}<div class="figures">{"".join(figures)}</div>'


def baseline_figures(comparison: PredictionComparison, lost: bool) -> list[str]:
    """What copying the state would get right; of pictures, also how far the imagined one is off in decibels."""
    guess, copied = comparison.inferred.likeness, comparison.copied
    if guess is None or copied is None:
        share = f"{comparison.copied_words} of {comparison.words}"
        return [figure_tile("copying the state", share, "words", COPYING.format(parts="words"))]
    said = format_decibels(guess.psnr)
    value, _, unit = said.partition(NO_BREAK_SPACE)
    against = f"{unit} · copying {format_decibels(copied.psnr)}".strip(" ·")
    distance = figure_tile("PSNR", value, against, PSNR, "forward")
    share = f"{copied.correct_cells} of {copied.total_cells}"
    return [
        *([] if lost else [figure_tile("copying the state", share, "cells", COPYING.format(parts="cells"))]),
        distance,
    ]


def imagined_state_figure(
    guess: TransitionPrediction, state: State, next_state: State, caption: str, lost: bool = False
) -> str:
    """One imagined state: what it changes in blue, what is not as in truth in red, and how far off it is."""
    if guess.likeness is not None:
        return imagined_picture_figure(guess.state, next_state, guess.likeness, caption, lost)
    came = changed_tokens(state.text, guess.state.text)[1]
    missing, wrong = changed_tokens(next_state.text, guess.state.text)
    text = highlight_tokens(guess.state.text, {"ins forward": came, "ins wrong": wrong}, nothing="it changes nothing")
    exact = guess.state.text.strip() == next_state.text.strip()
    off = "exact" if exact else f"{pluralize(max(1, guess.words_off), 'word')} off"
    lacking = " lacking" if missing and not wrong else ""
    return (
        f'<figure class="state{lacking}">{text}<figcaption>{escape(caption)}: '
        f'<b class="{"good-text" if exact else "wrong-text"}">{off}</b></figcaption></figure>'
    )


def imagined_picture_figure(guess: State, truth: State, like: FrameSimilarity, caption: str, lost: bool) -> str:
    """One imagined frame over the true one, with a divider, and how many cells, or how near, it gets right."""
    off = f'<b class="wrong-text">{format_decibels(like.psnr)}</b>' if lost else describe_cell_errors(like)
    return (
        '<figure class="state">'
        f"{comparison_slider(guess, truth, SLIDER_LABELS, picture_difference(truth, guess))}<figcaption>"
        f'<span class="clamped">{escape(caption)}:</span> {off}</figcaption></figure>'
    )


def describe_cell_errors(like: FrameSimilarity) -> str:
    """`exact`, or how many of the model's cells are wrong, in the colour that says so."""
    if like.is_exact:
        return '<b class="good-text">exact</b>'
    return (
        f'<b class="wrong-text">{like.total_cells - like.correct_cells} of {pluralize(like.total_cells, "cell")} '
        "off</b>"
    )


def figure_tile(caption: str, value: str, unit: str, meaning: str, kind: str = "") -> str:
    """A large number with its unit under its caption, explained in a tooltip."""
    return (
        f'<div class="figure {kind}"><small><abbr title="{escape(meaning)}">{escape(caption)}</abbr></small>'
        f"<b>{value} <span>{unit}</span></b></div>"
    )
