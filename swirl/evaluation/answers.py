"""A model's answers, each computed once: the metrics ask for many of the same predictions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol, TypeVar

from swirl import pictures
from swirl.models.results import Inference, LogProb
from swirl.states import State

Progress = Callable[[float, str], None]
Question = TypeVar("Question", bound=tuple[str, ...])
Answer = TypeVar("Answer")

ROOM = 8
"""Tokens that a prediction may always have beyond the longest observed state, besides a quarter of it."""

ROWS_AT_ONCE = 256
"""Rows that go to the model between two reports of progress; it makes its own batches of them."""


class Answering(Protocol):
    """What evaluation needs of a model; `swirl.models.WorldModel` has it."""

    name: str
    max_state_tokens: int

    def completion(self, text: str) -> list[int]: ...

    def infer(
        self, transitions: Sequence[tuple[State, State]], *, alternatives: int = 4, seed: int = 0
    ) -> list[Inference]: ...

    def imagine_batch(
        self, states: Sequence[State], actions: Sequence[str], temperature: float = 0.0
    ) -> list[State]: ...

    def forward_log_prob(
        self, states: Sequence[State], actions: Sequence[str], next_states: Sequence[State]
    ) -> list[LogProb]: ...

    def inverse_log_prob(
        self, states: Sequence[State], next_states: Sequence[State], actions: Sequence[str]
    ) -> list[LogProb]: ...

    def without_state_log_prob(self, actions: Sequence[str], next_states: Sequence[State]) -> list[LogProb]: ...


@contextmanager
def no_longer_than(model: Answering, states: Sequence[State]) -> Iterator[None]:
    """Let predictions grow a little longer than the longest of these observed states, and no further.

    A prediction that has gone astray may never end, and would hold up its whole batch to the model's own limit. A
    picture has as many tokens as every other, and needs no limit.
    """
    texts = {state.text for state in states if state.picture is None}
    if not texts:
        yield
        return
    limit = model.max_state_tokens
    longest = max(len(model.completion(text)) for text in texts)
    model.max_state_tokens = min(limit, longest + longest // 4 + ROOM)
    try:
        yield
    finally:
        model.max_state_tokens = limit


class Answers:
    """Greedy answers and log-probabilities of one model, remembered by question; states are told apart by their keys.

    Questions that were not asked before go to the model in one batch, short ones first, so that a batch holds rows of
    like length. `progress` is told the name of what is computed and how far it is, from 0 to 1.
    """

    def __init__(self, model: Answering, seed: int = 0, progress: Progress | None = None) -> None:
        self.model, self.seed, self.progress = model, seed, progress
        self._known: dict[str, State] = {}
        self._actions: dict[tuple[str, str], str] = {}
        self._states: dict[tuple[str, str], State] = {}
        self._scores: dict[tuple[str, ...], LogProb] = {}

    def key(self, state: State) -> str:
        """A state's key (a text is its own), under which `state` finds it again."""
        key = pictures.key(state)
        self._known.setdefault(key, state)
        return key

    def state(self, key: str) -> State:
        """The state that `key` was asked for."""
        return self._known[key]

    def actions(self, states: Sequence[State], next_states: Sequence[State]) -> list[str]:
        """The action that the IDM decodes greedily for each pair (x, y)."""
        asked = [(self.key(x), self.key(y)) for x, y in zip(states, next_states, strict=True)]

        def compute(pairs: Sequence[tuple[str, str]]) -> list[str]:
            inferred = self.model.infer(
                [(self.state(x), self.state(y)) for x, y in pairs], alternatives=1, seed=self.seed
            )
            return [inference.action for inference in inferred]

        return self._filled(self._actions, asked, compute, "inferring actions")

    def next_states(self, states: Sequence[State], actions: Sequence[str]) -> list[State]:
        """The next state that the FWM decodes greedily for each (x, z)."""
        asked = [(self.key(x), z) for x, z in zip(states, actions, strict=True)]

        def compute(pairs: Sequence[tuple[str, str]]) -> list[State]:
            return self.model.imagine_batch([self.state(x) for x, _ in pairs], [z for _, z in pairs], temperature=0.0)

        return self._filled(self._states, asked, compute, "imagining next states")

    def forward_log_prob(
        self, states: Sequence[State], actions: Sequence[str], next_states: Sequence[State]
    ) -> list[LogProb]:
        """log P(y | x, z)."""
        rows = zip(states, actions, next_states, strict=True)
        asked = [("forward", self.key(x), z, self.key(y)) for x, z, y in rows]

        def compute(rows: Sequence[tuple[str, ...]]) -> list[LogProb]:
            _, x, z, y = zip(*rows, strict=True)
            return self.model.forward_log_prob([*map(self.state, x)], z, [*map(self.state, y)])

        return self._filled(self._scores, asked, compute, "scoring next states")

    def inverse_log_prob(
        self, states: Sequence[State], next_states: Sequence[State], actions: Sequence[str]
    ) -> list[LogProb]:
        """log Q(z | x, y)."""
        rows = zip(states, next_states, actions, strict=True)
        asked = [("inverse", self.key(x), self.key(y), z) for x, y, z in rows]

        def compute(rows: Sequence[tuple[str, ...]]) -> list[LogProb]:
            _, x, y, z = zip(*rows, strict=True)
            return self.model.inverse_log_prob([*map(self.state, x)], [*map(self.state, y)], z)

        return self._filled(self._scores, asked, compute, "scoring actions")

    def without_state_log_prob(self, actions: Sequence[str], next_states: Sequence[State]) -> list[LogProb]:
        """log P(y | z), the state left empty."""
        asked = [("alone", z, self.key(y)) for z, y in zip(actions, next_states, strict=True)]

        def compute(rows: Sequence[tuple[str, ...]]) -> list[LogProb]:
            return self.model.without_state_log_prob([z for _, z, _ in rows], [self.state(y) for _, _, y in rows])

        return self._filled(self._scores, asked, compute, "scoring next states without their state")

    def _filled(
        self,
        known: dict[Question, Answer],
        asked: Sequence[Question],
        compute: Callable[[Sequence[Question]], list[Answer]],
        what: str,
    ) -> list[Answer]:
        new = sorted((row for row in dict.fromkeys(asked) if row not in known), key=lambda row: sum(map(len, row)))
        for start in range(0, len(new), ROWS_AT_ONCE):
            rows = new[start : start + ROWS_AT_ONCE]
            known.update(zip(rows, compute(rows), strict=True))
            if self.progress is not None:
                self.progress(min(1.0, (start + ROWS_AT_ONCE) / len(new)), what)
        return [known[row] for row in asked]
