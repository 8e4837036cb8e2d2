"""What the forward model imagines for a transition, beside the truth, with its log-probabilities."""

from __future__ import annotations

from studio.components.html import escape
from studio.components.text_diff import changes, marked
from studio.imagining import Comparison, Imagined
from studio.view_models.numbers import counted, signed
from swirl.states import State

LOG_P = (
    "log P(y | x, z): how likely the forward model finds the true next state, given the state and the action, "
    "in nats over all its words. 0 is certainty. It is the inverse phase's reward."
)
SHUFFLED = "The same with an action inferred elsewhere in this sequence; where actions mean something, this is worse."
COPYING = "How many words of the next state are right when the state is simply repeated: the baseline to beat."


def imagined(comparison: Comparison, state: State, next_state: State) -> str:
    """The imagined next states, wrong words marked, over three figures."""
    one, other = comparison.inferred, comparison.other
    figures = [figure("log P(next | action)", signed(one.log_prob), "nats", LOG_P, "forward")]
    views = [view(one, state, next_state, "inferred action")]
    if other is not None:
        figures.append(figure("with a shuffled action", signed(other.log_prob), "nats", SHUFFLED))
        views.append(view(other, state, next_state, f"instead: {other.action}"))
    copied = f"{comparison.copied_words} of {comparison.words}"
    figures.append(figure("copying the state", copied, "words", COPYING))
    return f'<div class="states">{"".join(views)}</div><div class="figures">{"".join(figures)}</div>'


def view(guess: Imagined, state: State, next_state: State, caption: str) -> str:
    """One imagined state: what it changes in blue, what is not as in truth in red, and how far off it is."""
    came = changes(state.text, guess.state.text)[1]
    missing, wrong = changes(next_state.text, guess.state.text)
    text = marked(guess.state.text, {"ins forward": came, "ins wrong": wrong}, nothing="it changes nothing")
    exact = guess.state.text.strip() == next_state.text.strip()
    off = "exact" if exact else f"{counted(max(1, guess.words_off), 'word')} off"
    lacking = " lacking" if missing and not wrong else ""
    return (
        f'<figure class="state{lacking}">{text}<figcaption>{escape(caption)}: '
        f'<b class="{"good-text" if exact else "wrong-text"}">{off}</b></figcaption></figure>'
    )


def figure(caption: str, value: str, unit: str, meaning: str, kind: str = "") -> str:
    """A large number with its unit under its caption, explained in a tooltip."""
    return (
        f'<div class="figure {kind}"><small><abbr title="{escape(meaning)}">{escape(caption)}</abbr></small>'
        f"<b>{value} <span>{unit}</span></b></div>"
    )
