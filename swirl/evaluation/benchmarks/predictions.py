"""Ask a model for a benchmark's next states in small batches that fit its context."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from swirl.evaluation.benchmarks.splits import BenchmarkStep
from swirl.evaluation.best_of import sample_best_of_n
from swirl.evaluation.judge import Judge
from swirl.evaluation.protocols import limit_prediction_length, prediction_budget
from swirl.progress import ProgressCallback
from swirl.states import State

BATCH_SIZE = 8
"""Rows per batch; a benchmark's texts may fill the model's whole context."""


@dataclass
class MeasurementContext:
    """The model, the judge and the settings of a measurement.

    `notes` collects a sentence on everything that could not be measured. With `best_of` above 1 a next state is the one
    of that many draws whose action the inverse model scores highest.
    """

    model: Any
    judge: Judge | None
    seed: int
    progress: ProgressCallback | None = None
    best_of: int = 1
    notes: list[str] = field(default_factory=list)

    def report_progress(self, fraction: float, what: str) -> None:
        """Report the share of the current work that is done."""
        if self.progress is not None:
            self.progress(fraction, what)


def imagine_states(
    context: MeasurementContext, states: Sequence[State], actions: Sequence[str], what: str
) -> list[State]:
    """One next state per row, greedy or best of N; short rows first, so that a batch holds rows of similar length."""
    order = sorted(range(len(states)), key=lambda place: len(states[place].text))
    imagined: dict[int, State] = {}
    for start in range(0, len(order), BATCH_SIZE):
        places = order[start : start + BATCH_SIZE]
        asked = [states[place] for place in places], [actions[place] for place in places]
        if context.best_of > 1:
            answers = sample_best_of_n(context.model, *asked, context.best_of, context.seed)
        else:
            answers = context.model.imagine_batch(*asked, temperature=0.0)
        imagined.update(zip(places, answers, strict=True))
        context.report_progress(len(imagined) / len(order), what)
    return [imagined[place] for place in range(len(states))]


@dataclass
class FittedSteps:
    """Steps that fit the model's context: `truncated` lost the beginning of their state, `left_out` cannot fit."""

    steps: list[BenchmarkStep]
    truncated: int
    left_out: int


def predict_texts(context: MeasurementContext, steps: Sequence[BenchmarkStep]) -> tuple[list[BenchmarkStep], list[str]]:
    """The steps that fit the model's context, and the text predicted for each; truncated and omitted ones are noted."""
    fitted = fit_to_context(context.model, steps)
    if fitted.truncated:
        context.notes.append(
            f"{fitted.truncated} of {len(steps)} states do not fit the model's context of "
            f"{context_length(context.model)} tokens; their beginning was cut off."
        )
    if fitted.left_out:
        context.notes.append(
            f"{fitted.left_out} of {len(steps)} items are left out because their action alone does not fit the model's "
            f"context of {context_length(context.model)} tokens."
        )
    states, actions = [step.state for step in fitted.steps], [step.action for step in fitted.steps]
    with limit_prediction_length(context.model, [step.next_state for step in fitted.steps]):
        answers = imagine_states(context, states, actions, "imagining next states")
    return fitted.steps, [answer.text for answer in answers]


def fit_to_context(model: Any, steps: Sequence[BenchmarkStep]) -> FittedSteps:
    """Cut states from the left until prompt and answer fit the model's context.

    The answer gets a quarter more than the tokens of the longest observed next state and a few more, but at most half
    of the context.
    """
    context = context_length(model)
    if context is None:
        return FittedSteps(list(steps), 0, 0)
    longest = max((len(model.completion(step.next_state.text)) for step in steps), default=0)
    room = min(prediction_budget(longest), model.max_state_tokens, context // 2)
    fitted, truncated, left_out = [], 0, 0
    for step in steps:
        text = truncate_state(model, step, context - room)
        if text is None:
            left_out += 1
            continue
        truncated += text != step.state.text
        fitted.append(replace(step, state=State(text)))
    return FittedSteps(fitted, truncated, left_out)


def context_length(model: Any) -> int | None:
    """The number of tokens in the model's context; None if its configuration does not say."""
    config = getattr(getattr(model, "model", None), "config", None)
    text = config.get_text_config() if hasattr(config, "get_text_config") else config
    return getattr(text, "max_position_embeddings", None)


def truncate_state(model: Any, step: BenchmarkStep, budget: int) -> str | None:
    """The longest end of a state whose prompt has at most `budget` tokens; None if even an empty state has more."""
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
