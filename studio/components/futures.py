"""Imagined next states side by side, ranked by how well the inverse model reads the action back from each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from studio.components.html import escape
from studio.components.inferred import width
from studio.components.text_diff import changes, marked
from studio.view_models.numbers import signed
from swirl.models import Prediction

SCORE = "log Q(z | x, y'): how well the inverse model reads the action back from this future, in nats. 0 is certainty."
WORDS = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight")


@dataclass(frozen=True)
class Future:
    """One distinct imagined next state, and how many of the samples it stands for; `score` is log Q(z | x, y')."""

    state: str
    score: float
    times: int


def distinct(predictions: Sequence[Prediction]) -> list[Future]:
    """Equal predictions as one, the best score first."""
    found: dict[str, Future] = {}
    for prediction in predictions:
        text = prediction.state.text
        times = found[text].times + 1 if text in found else 1
        found[text] = Future(text, prediction.score, times)
    return sorted(found.values(), key=lambda future: -future.score)


def title(futures: Sequence[Future]) -> str:
    """`Four imagined futures`, `One imagined future`."""
    count = len(futures)
    word = WORDS[count] if count < len(WORDS) else str(count)
    return f"{word} imagined future{'' if count == 1 else 's'}"


def future_cards(state: str, action: str, futures: Sequence[Future]) -> str:
    """The futures of `state` under `action` as buttons with `data-future`, the best outlined."""
    samples = sum(future.times for future in futures)
    cards = []
    for index, future in enumerate(futures):
        best = index == 0
        said = [("best <kbd>→</kbd>" if best else "")]
        said.append(f"{future.times} of {samples} samples" if samples > 1 else "")
        text = marked(future.state, {"ins forward": changes(state, future.state)[1]})
        cards.append(
            f'<li><button type="button" class="future{" best" if best else ""}" data-future="{index}" '
            f'aria-label="Continue from future {index + 1}{", the best" if best else ""}">{text}</button>'
            f'<div class="score" title="{escape(SCORE)}"><span class="bar inverse">'
            f'<i style="width:{width(future.score)}"></i></span>'
            f'<span class="number">{signed(future.score)}</span></div>'
            f'<p class="note">{" · ".join(filter(None, said))}</p></li>'
        )
    after = f'<p class="note">after <b class="inverse-text">{escape(action)}</b></p>'
    return f'{after}<ol class="futures">{"".join(cards)}</ol>'
