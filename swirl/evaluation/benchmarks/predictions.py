"""Asking the model for a benchmark's next states: in small batches, and never more than its context holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from swirl.evaluation.benchmarks.splits import BenchmarkStep
from swirl.evaluation.best_of import sample_best_of_n
from swirl.evaluation.judge import Judge
from swirl.evaluation.protocols import EXTRA_TOKENS, limit_prediction_length
from swirl.progress import ProgressCallback
from swirl.states import State

BATCH_SIZE = 8
"""Rows that go to the model together; a benchmark's texts may fill its whole context."""


@dataclass
class MeasurementContext:
    """What a benchmark measures with; `notes` gathers what could not be measured and why, a sentence each.

    With `best_of` above 1 a next state is the one of so many draws whose action the inverse model scores highest.
    """

    model: Any
    judge: Judge | None
    seed: int
    progress: ProgressCallback | None = None
    best_of: int = 1
    notes: list[str] = field(default_factory=list)

    def report_progress(self, fraction: float, what: str) -> None:
        """Report how far the work at hand is."""
        if self.progress is not None:
            self.progress(fraction, what)


def imagine_states(
    means: MeasurementContext, states: Sequence[State], actions: Sequence[str], what: str
) -> list[State]:
    """One next state for each row, greedy or best of N; short rows first, so that a batch holds rows of like length."""
    order = sorted(range(len(states)), key=lambda place: len(states[place].text))
    found: dict[int, State] = {}
    for start in range(0, len(order), BATCH_SIZE):
        places = order[start : start + BATCH_SIZE]
        asked = [states[place] for place in places], [actions[place] for place in places]
        if means.best_of > 1:
            answers = sample_best_of_n(means.model, *asked, means.best_of, means.seed)
        else:
            answers = means.model.imagine_batch(*asked, temperature=0.0)
        found.update(zip(places, answers, strict=True))
        means.report_progress(len(found) / len(order), what)
    return [found[place] for place in range(len(states))]


@dataclass
class Fitted:
    """Steps as the model can read them: `cut` lost the beginning of their state, `left_out` could not be asked."""

    steps: list[BenchmarkStep]
    truncated: int
    left_out: int


def predict_texts(means: MeasurementContext, steps: Sequence[BenchmarkStep]) -> tuple[list[BenchmarkStep], list[str]]:
    """The steps that could be asked, and the text predicted for each. What was cut or left out is noted."""
    fitted = fit_to_context(means.model, steps)
    if fitted.truncated:
        means.notes.append(
            f"{fitted.truncated} of {len(steps)} contexts are longer than the model's own of "
            f"{context_length(means.model)} "
            "tokens; they lost their beginning."
        )
    if fitted.left_out:
        means.notes.append(
            f"{fitted.left_out} of {len(steps)} items are left out, for their action alone is longer than the model's "
            f"context of {context_length(means.model)} tokens."
        )
    states, actions = [step.state for step in fitted.steps], [step.action for step in fitted.steps]
    with limit_prediction_length(means.model, [step.next_state for step in fitted.steps]):
        answers = imagine_states(means, states, actions, "imagining next states")
    return fitted.steps, [answer.text for answer in answers]


def fit_to_context(model: Any, steps: Sequence[BenchmarkStep]) -> Fitted:
    """Cut states from the left until prompt and answer fit the model's context.

    The answer gets as many tokens as the longest observed next state needs and some, at most half the context.
    """
    context = context_length(model)
    if context is None:
        return Fitted(list(steps), 0, 0)
    longest = max((len(model.completion(step.next_state.text)) for step in steps), default=0)
    room = min(longest + longest // 4 + EXTRA_TOKENS, model.max_state_tokens, context // 2)
    kept, cut, left_out = [], 0, 0
    for step in steps:
        text = truncate_state(model, step, context - room)
        if text is None:
            left_out += 1
            continue
        cut += text != step.state.text
        kept.append(replace(step, state=State(text)))
    return Fitted(kept, cut, left_out)


def context_length(model: Any) -> int | None:
    """The tokens that a model can read at once; None where it does not say."""
    config = getattr(getattr(model, "model", None), "config", None)
    text = config.get_text_config() if hasattr(config, "get_text_config") else config
    return getattr(text, "max_position_embeddings", None)


def truncate_state(model: Any, step: BenchmarkStep, budget: int) -> str | None:
    """The longest end of a state whose prompt has at most `budget` tokens; None if even that of no state has more."""
    text = step.state.text

    def fits(length: int) -> bool:
        return len(model.layout.forward_prompt(State(text[len(text) - length :]), step.action)) <= budget

    if fits(len(text)):
        return text
    if not fits(0):
        return None
    low, high = 0, len(text)  # `low` characters fit, `high` do not
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return text[len(text) - low :]
