"""Transitions and labels that are too long for a run: leaves them out, and suggests limits that take most of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median_high
from typing import Literal, Protocol, TypeVar

from swirl.codecs.state_codecs import Codec
from swirl.errors import UsageError
from swirl.models.prompts import PromptLayout
from swirl.settings import Settings
from swirl.states import LabelledTransition, State, Transition

Row = TypeVar("Row")

SHARE_TO_TAKE = 0.95
"""Share of the transitions that the suggested limits take; the longest few would cost all others memory and time."""


class LengthModel(Protocol):
    """What of a world model decides how long a transition is."""

    codec: Codec
    layout: PromptLayout

    def state_completion(self, state: State) -> list[int]:
        """The token ids of a state as an answer, with what ends it."""
        ...


class LabelModel(LengthModel, Protocol):
    """What of a world model decides how long a label is."""

    def completion(self, text: str) -> list[int]:
        """The token ids of an action as an answer, with what ends it."""
        ...


@dataclass(frozen=True)
class TransitionLengths:
    """The tokens of each transition: of its longer state, and of its prompt together with the longest action.

    Of labels also those of their own actions; empty where no actions are known.
    """

    states: Sequence[int]
    prompts: Sequence[int]
    actions: Sequence[int] = ()

    def fits(self, settings: Settings) -> list[bool]:
        """Whether each transition is within the limits of the settings."""
        return [
            state <= settings.max_state_tokens
            and prompt <= settings.max_prompt_tokens
            and action <= settings.max_action_tokens
            for state, prompt, action in zip(self.states, self.prompts, self.actions or [0] * len(self), strict=True)
        ]

    def suggest_limits(self, settings: Settings) -> dict[str, int]:
        """The limits that must be raised, and to what, so that SHARE_TO_TAKE of the transitions are within each."""
        action = max(settings.max_action_tokens, most_of(self.actions))
        needed = {
            "max_state_tokens": most_of(self.states),
            # The limit of prompts counts the longest action with them.
            "max_prompt_tokens": most_of(self.prompts) + action - settings.max_action_tokens,
            "max_action_tokens": action,
        }
        return {name: limit for name, limit in needed.items() if limit > getattr(settings, name)}

    def __len__(self) -> int:
        return len(self.states)

    def describe(self, settings: Settings) -> str:
        """How long states are, the limits, and the limits that would take most transitions, as a clause."""
        change = " and ".join(f"{name}={limit}" for name, limit in self.suggest_limits(settings).items())
        share, shortest, longest = f"{SHARE_TO_TAKE * 100:.0f} % of them", min(self.states), max(self.states)
        spread = f"from {shortest} to {longest} tokens, half of them at most {median_high(self.states)}"
        return (
            f"states have {spread if shortest < longest else f'{longest} tokens'}, "
            + (f"actions up to {max(self.actions)}, " if self.actions else "")
            + f"and max_state_tokens={settings.max_state_tokens}, max_prompt_tokens={settings.max_prompt_tokens}"
            + (f", max_action_tokens={settings.max_action_tokens}" if self.actions else "")
            + "; "
            + (f"{change} takes {share}" if change else f"these limits take {share}")
        )


def most_of(lengths: Sequence[int]) -> int:
    """The smallest limit that takes SHARE_TO_TAKE of the lengths; 0 if there are none."""
    return sorted(lengths)[math.ceil(SHARE_TO_TAKE * len(lengths)) - 1] if lengths else 0


@dataclass(frozen=True)
class LeftOut:
    """Transitions, or labels, that are too long for a run: `too_long` of `total`, which may be a sample.

    `data` names the collection, or the file of the labels. `lengths` describes them as a clause. `suggested_limits` are
    the limits with which a run would take most of them; it is empty if the run does so already.
    """

    data: str
    too_long: int
    total: int
    lengths: str
    suggested_limits: dict[str, int]
    what: Literal["transition", "label"] = "transition"

    @property
    def is_everything(self) -> bool:
        """Whether none is left to train on."""
        return self.too_long == self.total

    @property
    def sentence(self) -> str:
        """How many are left out and which limits would take most of them."""
        if self.is_everything:
            return f"No {self.what} of {self.data!r} is short enough for this run: {self.lengths}."
        return f"{self.too_long} of {self.total} {self.what}s are too long and are left out: {self.lengths}."


def limits_that_take_most(left_out: Sequence[LeftOut]) -> dict[str, int]:
    """The limits that take most of the transitions and of the labels: of each, the higher one that either suggests."""
    limits: dict[str, int] = {}
    for each in left_out:
        limits |= {name: max(limit, limits.get(name, 0)) for name, limit in each.suggested_limits.items()}
    return limits


def measure_lengths(
    model: LengthModel, transitions: Sequence[Transition | LabelledTransition], settings: Settings
) -> TransitionLengths:
    """The lengths of transitions as a model reads and writes them, without those of actions.

    Of frames one transition is enough: to encode all of them takes long, and a run needs only a part.
    """
    measured = transitions[:1] if model.codec.states_have_one_length else transitions
    states = [max(len(model.state_completion(s)) for s in (t.state, t.next_state)) for t in measured]
    prompts = [len(model.layout.inverse_prompt(t.state, t.next_state)) + settings.max_action_tokens for t in measured]
    times = len(transitions) // max(1, len(measured))
    return TransitionLengths(states * times, prompts * times)


def measure_labels(model: LabelModel, labels: Sequence[LabelledTransition], settings: Settings) -> TransitionLengths:
    """The lengths of labels, which are those of their transitions and of their actions."""
    actions = [len(model.completion(label.action)) for label in labels]
    return replace(measure_lengths(model, labels, settings), actions=actions)


def find_left_out(lengths: TransitionLengths, settings: Settings) -> LeftOut | None:
    """What a run with these settings leaves out of its transitions, or of its labels; None if nothing."""
    fits = lengths.fits(settings)
    if all(fits):
        return None
    too_long, total = fits.count(False), len(fits)
    found = LeftOut(settings.data, too_long, total, lengths.describe(settings), lengths.suggest_limits(settings))
    return replace(found, data=str(settings.labels), what="label") if lengths.actions else found


def drop_too_long(
    model: LengthModel, transitions: Sequence[Transition], settings: Settings
) -> tuple[list[Transition], LeftOut | None]:
    """The transitions that fit the token limits, and what is left out. Raises UsageError if none fits."""
    return keep_fitting(transitions, measure_lengths(model, transitions, settings), settings)


def drop_too_long_labels(
    model: LabelModel, labels: Sequence[LabelledTransition], settings: Settings
) -> tuple[list[LabelledTransition], LeftOut | None]:
    """The labels that fit the token limits, and what is left out. Raises UsageError if none fits."""
    return keep_fitting(labels, measure_labels(model, labels, settings), settings)


def keep_fitting(
    rows: Sequence[Row], lengths: TransitionLengths, settings: Settings
) -> tuple[list[Row], LeftOut | None]:
    """The rows whose lengths fit the token limits, and what is left out. Raises UsageError if none fits."""
    left_out = find_left_out(lengths, settings)
    if left_out is not None and left_out.is_everything:
        raise UsageError(left_out.sentence, left_out.suggested_limits)
    kept = [row for row, fits in zip(rows, lengths.fits(settings), strict=True) if fits]
    return kept, left_out
