"""Imagined next states side by side; ranked, where wished, by how well the inverse model reads the action back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from studio.components.shared.frame import framed
from studio.components.shared.html import escape
from studio.components.shared.inferred_action import width
from studio.components.shared.text_difference import marked
from studio.services.model_choices import PREVIEW
from studio.view_models.frame_size import SIDE
from studio.view_models.numbers import signed
from studio.view_models.picture_difference import difference
from studio.view_models.text_difference import changes
from swirl.models import Prediction
from swirl.pictures import key
from swirl.states import State

SCORE = "log Q(z | x, y'): how well the inverse model reads the action back from this future, in nats. 0 is certainty."
WORDS = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight")


@dataclass(frozen=True)
class Future:
    """One distinct imagined next state, and how many of the samples it stands for.

    `state` is the state's key: a text itself, or what stands for a picture. `score` is log Q(z | x, y'), None where the
    model has no probabilities.
    """

    state: str
    score: float | None
    times: int


def distinct(predictions: Sequence[Prediction], *, ranked: bool = True) -> list[Future]:
    """Equal predictions as one; the best score first if `ranked` and there are scores, else as they were drawn."""
    found: dict[str, Future] = {}
    for prediction in predictions:
        text = key(prediction.state)
        times = found[text].times + 1 if text in found else 1
        found[text] = Future(text, prediction.score, times)
    futures = list(found.values())
    return sorted(futures, key=lambda future: -(future.score or 0.0)) if ranked else futures


def title(futures: Sequence[Future]) -> str:
    """`Four imagined futures`, `One imagined future`."""
    count = len(futures)
    word = WORDS[count] if count < len(WORDS) else str(count)
    return f"{word} imagined future{'' if count == 1 else 's'}"


def future_cards(
    state: str,
    action: str,
    futures: Sequence[Future],
    look: Callable[[str], State] = State,
    *,
    ranked: bool = True,
    by: str = "",
) -> str:
    """The futures of `state` under `action` as buttons with `data-future`, the first outlined.

    `look` finds the state of a key. `by` names the model of a second list, whose buttons say so in `data-by`; without
    it a line says which action it was.
    """
    here = look(state)
    scored = all(future.score is not None for future in futures)
    samples = sum(future.times for future in futures)
    pictured = " pictured" if here.picture is not None else ""
    first = "best" if ranked and scored else "first"
    cards = "".join(
        _card(index, future, here, look(future.state), samples, first, by) for index, future in enumerate(futures)
    )
    after = f'<p class="note">after <b class="inverse-text">{escape(action)}</b></p>'
    if by:
        after = f'<h3 class="by">{escape(by)}{"" if scored else f" <small>{PREVIEW}</small>"}</h3>'
    return f'{after}<ol class="futures{pictured}">{cards}</ol>'


def _card(index: int, future: Future, here: State, shown: State, samples: int, first: str, by: str) -> str:
    """One future as a button, its score below it."""
    leads = index == 0
    said = [f"{first} <kbd>→</kbd>" if leads and not by else first if leads else ""]
    said.append(f"{future.times} of {samples} samples" if samples > 1 else "")
    score = ""
    if future.score is not None:
        score = (
            f'<div class="score" title="{escape(SCORE)}"><span class="bar inverse">'
            f'<i style="width:{width(future.score)}"></i></span>'
            f'<span class="number">{signed(future.score)}</span></div>'
        )
    return (
        f'<li><button type="button" class="future{" best" if leads else ""}" data-future="{index}" '
        f'{"data-by " if by else ""}aria-label="Continue from future {index + 1}'
        f'{f" of {escape(by)}" if by else ""}{f", the {first}" if leads else ""}">{inside(here, shown)}</button>'
        f'{score}<p class="note">{" · ".join(filter(None, said))}</p></li>'
    )


def inside(state: State, future: State) -> str:
    """A future on its card, what it changes in blue."""
    if future.picture is not None:
        return framed(future, "", SIDE, marks=difference(state, future), tone="forward")
    return marked(future.text, {"ins forward": changes(state.text, future.text)[1]})
