"""Imagined next states side by side, ranked by how well the inverse model reads the action back from each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from studio.components.frame import SIDE, framed
from studio.components.html import escape
from studio.components.inferred import width
from studio.components.text_diff import changes, marked
from studio.view_models.numbers import signed
from studio.view_models.picture_difference import difference
from swirl.models import Prediction
from swirl.pictures import key
from swirl.states import State

SCORE = "log Q(z | x, y'): how well the inverse model reads the action back from this future, in nats. 0 is certainty."
WORDS = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight")


@dataclass(frozen=True)
class Future:
    """One distinct imagined next state, and how many of the samples it stands for; `score` is log Q(z | x, y').

    `state` is the state's key: a text itself, or what stands for a picture.
    """

    state: str
    score: float
    times: int


def distinct(predictions: Sequence[Prediction]) -> list[Future]:
    """Equal predictions as one, the best score first."""
    found: dict[str, Future] = {}
    for prediction in predictions:
        text = key(prediction.state)
        times = found[text].times + 1 if text in found else 1
        found[text] = Future(text, prediction.score, times)
    return sorted(found.values(), key=lambda future: -future.score)


def title(futures: Sequence[Future]) -> str:
    """`Four imagined futures`, `One imagined future`."""
    count = len(futures)
    word = WORDS[count] if count < len(WORDS) else str(count)
    return f"{word} imagined future{'' if count == 1 else 's'}"


def future_cards(state: str, action: str, futures: Sequence[Future], look: Callable[[str], State] = State) -> str:
    """The futures of `state` under `action` as buttons with `data-future`, the best outlined.

    `look` finds the state of a key.
    """
    here, pictured = look(state), ""
    samples = sum(future.times for future in futures)
    cards = []
    for index, future in enumerate(futures):
        best = index == 0
        said = [("best <kbd>→</kbd>" if best else "")]
        said.append(f"{future.times} of {samples} samples" if samples > 1 else "")
        shown = look(future.state)
        pictured = pictured or (" pictured" if shown.picture else "")
        text = inside(here, shown)
        cards.append(
            f'<li><button type="button" class="future{" best" if best else ""}" data-future="{index}" '
            f'aria-label="Continue from future {index + 1}{", the best" if best else ""}">{text}</button>'
            f'<div class="score" title="{escape(SCORE)}"><span class="bar inverse">'
            f'<i style="width:{width(future.score)}"></i></span>'
            f'<span class="number">{signed(future.score)}</span></div>'
            f'<p class="note">{" · ".join(filter(None, said))}</p></li>'
        )
    after = f'<p class="note">after <b class="inverse-text">{escape(action)}</b></p>'
    return f'{after}<ol class="futures{pictured}">{"".join(cards)}</ol>'


def inside(state: State, future: State) -> str:
    """A future on its card, what it changes in blue."""
    if future.picture is not None:
        return framed(future, "", SIDE, marks=difference(state, future), tone="forward")
    return marked(future.text, {"ins forward": changes(state.text, future.text)[1]})
