"""Imagined next states side by side, optionally ranked by the inverse model's log-probability of the action."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from studio.components.shared.html import escape
from studio.components.shared.inferred_actions import probability_bar
from studio.components.shared.picture_frame import annotated_picture
from studio.components.shared.text_difference import highlight_tokens
from studio.services.model_choices import PREVIEW_NOTE
from studio.view_models.formatting import format_signed
from studio.view_models.frame_size import PANEL_SIZE
from studio.view_models.picture_difference import picture_difference
from studio.view_models.text_difference import changed_tokens
from swirl.models import Prediction
from swirl.pictures import state_key
from swirl.states import State

SCORE_HELP = (
    "log Q(z | x, y'): the inverse model's log-probability of your action, given this future, in nats. 0 is certainty."
)
NUMBER_WORDS = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight")


@dataclass(frozen=True)
class Future:
    """One distinct imagined next state, and how many of the samples are equal to it (`times`).

    `state` is the state's key: for a text, the text itself. `score` is log Q(z | x, y') in nats; None if the model has
    no probabilities.
    """

    state: str
    score: float | None
    times: int


def distinct_futures(predictions: Sequence[Prediction], *, ranked: bool = True) -> list[Future]:
    """The predictions with equal ones merged: the best score first if `ranked`, else in the order they were sampled."""
    by_key: dict[str, Future] = {}
    for prediction in predictions:
        key = state_key(prediction.state)
        times = by_key[key].times + 1 if key in by_key else 1
        by_key[key] = Future(key, prediction.score, times)
    futures = list(by_key.values())
    return sorted(futures, key=lambda future: -(future.score or 0.0)) if ranked else futures


def futures_title(futures: Sequence[Future]) -> str:
    """`Four imagined futures`, `One imagined future`."""
    count = len(futures)
    word = NUMBER_WORDS[count] if count < len(NUMBER_WORDS) else str(count)
    return f"{word} imagined future{'' if count == 1 else 's'}"


def future_cards(
    state: str,
    action: str,
    futures: Sequence[Future],
    load_state: Callable[[str], State] = State,
    *,
    ranked: bool = True,
    by: str = "",
) -> str:
    """The futures of `state` under `action` as buttons with `data-future`, the first one outlined.

    `load_state` returns the state of a key. `by` names the model of a second list; its heading replaces the line that
    names the action, and its buttons carry `data-by`.
    """
    here = load_state(state)
    scored = all(future.score is not None for future in futures)
    samples = sum(future.times for future in futures)
    pictured = " pictured" if here.picture is not None else ""
    first = "best" if ranked and scored else "first"
    cards = "".join(
        _card(index, future, here, load_state(future.state), samples, first, by) for index, future in enumerate(futures)
    )
    heading = f'<p class="note">after <b class="inverse-text">{escape(action)}</b></p>'
    if by:
        heading = f'<h3 class="by">{escape(by)}{"" if scored else f" <small>{PREVIEW_NOTE}</small>"}</h3>'
    return f'{heading}<ol class="futures{pictured}">{cards}</ol>'


def _card(index: int, future: Future, here: State, imagined: State, samples: int, first: str, by: str) -> str:
    """One future as a button, with its score below."""
    is_first = index == 0
    notes = [f"{first} <kbd>→</kbd>" if is_first and not by else first if is_first else ""]
    notes.append(f"{future.times} of {samples} samples" if samples > 1 else "")
    score = ""
    if future.score is not None:
        score = (
            f'<div class="score" title="{escape(SCORE_HELP)}">{probability_bar(future.score)}'
            f'<span class="number">{format_signed(future.score)}</span></div>'
        )
    return (
        f'<li><button type="button" class="future{" best" if is_first else ""}" data-future="{index}" '
        f'{"data-by " if by else ""}aria-label="Continue from future {index + 1}'
        f'{f" of {escape(by)}" if by else ""}{f", the {first}" if is_first else ""}">'
        f"{future_content(here, imagined)}</button>"
        f'{score}<p class="note">{" · ".join(filter(None, notes))}</p></li>'
    )


def future_content(state: State, future: State) -> str:
    """An imagined state on its card, with what it changes in blue."""
    if future.picture is not None:
        return annotated_picture(future, "", PANEL_SIZE, marks=picture_difference(state, future), tone="forward")
    return highlight_tokens(future.text, {"ins forward": changed_tokens(state.text, future.text)[1]})
