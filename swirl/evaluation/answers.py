"""A model's predictions, inferred actions and log-probabilities, each computed once for all metrics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from swirl import pictures
from swirl.evaluation.answer_cache import AnswerCache, digest
from swirl.evaluation.best_of import sample_best_of_n
from swirl.evaluation.progress import ProgressTracker
from swirl.evaluation.protocols import EvaluatedModel, GuessCheckingModel
from swirl.models.results import LogProb
from swirl.progress import ProgressCallback
from swirl.states import State, Transition

Question = TypeVar("Question", bound=tuple[str, ...])
Answer = TypeVar("Answer")

ROWS_AT_ONCE = 256
"""Rows given to the model between two progress reports; the model splits them into batches of its own."""


class ModelAnswers:
    """Greedy answers and log-probabilities of one model, stored by question; states are identified by their keys.

    New questions go to the model together, short ones first, so that a batch holds rows of similar length. `progress`
    receives what is being computed and the share that is done, from 0 to 1: of this kind of question, or, if the total
    number of questions is given as `expected`, of the whole evaluation. With a `cache` the answers of an earlier
    attempt are read from its file, and new ones are written to it. `watch` is called before each batch; an exception
    from it ends the work.
    """

    def __init__(
        self,
        model: EvaluatedModel,
        seed: int = 0,
        progress: ProgressCallback | None = None,
        *,
        cache: AnswerCache | None = None,
        expected: float | None = None,
        watch: Callable[[], None] | None = None,
    ) -> None:
        self.model, self.seed, self.progress, self.cache, self.watch = model, seed, progress, cache, watch
        self.tracker = None if expected is None else ProgressTracker(progress, expected)
        self._known: dict[str, State] = {}
        self._actions: dict[tuple[str, str], str] = {}
        self._states: dict[tuple[str, str], State] = {}
        self._best: dict[tuple[str, str, str], State] = {}
        self._scores: dict[tuple[str, ...], LogProb] = {}
        self._observed_next_state: dict[str, str] = {}
        self._guessed_action: dict[tuple[str, str], str] = {}
        self._unsaved_scores: list[tuple[str, tuple[str, ...], Any]] = []

    def remember_observed(self, transitions: Sequence[Transition], actions: Sequence[str] | None) -> None:
        """Remember the observed next states, and the true actions where known, as guesses.

        A model that can check guesses answers faster with them; they change no answer.
        """
        for index, transition in enumerate(transitions):
            x, y = self.key(transition.state), self.key(transition.next_state)
            self._observed_next_state[x] = y
            if actions is not None:
                self._guessed_action[x, y] = actions[index]

    def key(self, state: State) -> str:
        """A state's key (a text is its own key); `state` returns the state for it."""
        key = pictures.state_key(state)
        self._known.setdefault(key, state)
        return key

    def state(self, key: str) -> State:
        """The state that `key` was given for; KeyError for any other key."""
        return self._known[key]

    def actions(self, states: Sequence[State], next_states: Sequence[State]) -> list[str]:
        """The action that the IDM decodes greedily for each pair (x, y)."""
        asked = [(self.key(x), self.key(y)) for x, y in zip(states, next_states, strict=True)]

        def compute(rows: Sequence[tuple[str, str]]) -> list[str]:
            guessed = (
                [row for row in rows if row in self._guessed_action]
                if isinstance(self.model, GuessCheckingModel)
                else []
            )
            answers = dict(zip(guessed, self._checked_actions(guessed), strict=True)) if guessed else {}
            rest = [row for row in rows if row not in answers]
            pairs = [(self.state(x), self.state(y)) for x, y in rest]
            inferred = self.model.infer(pairs, alternatives=1, seed=self.seed) if pairs else []
            answers |= {row: inference.action for row, inference in zip(rest, inferred, strict=True)}
            return [answers[row] for row in rows]

        return self._answer_questions("actions", self._actions, asked, compute, "inferring actions")

    def next_states(self, states: Sequence[State], actions: Sequence[str]) -> list[State]:
        """The next state that the FWM decodes greedily for each (x, z)."""
        asked = [(self.key(x), z) for x, z in zip(states, actions, strict=True)]

        def compute(rows: Sequence[tuple[str, str]]) -> list[State]:
            if isinstance(self.model, GuessCheckingModel):
                return self._checked_states(rows)
            return self.model.imagine_batch([self.state(x) for x, _ in rows], [z for _, z in rows], temperature=0.0)

        imagined = self._answer_questions("states", self._states, asked, compute, "imagining next states")
        for (x, z), state in zip(asked, imagined, strict=True):
            self._guessed_action.setdefault((x, self.key(state)), z)
        return imagined

    def best_states(self, states: Sequence[State], actions: Sequence[str], n: int) -> list[State]:
        """For each (x, z) the best of `n` drawn next states by the IDM's score; see `best_of`."""
        asked = [(str(n), self.key(x), z) for x, z in zip(states, actions, strict=True)]

        def compute(rows: Sequence[tuple[str, ...]]) -> list[State]:
            # Each batch has a seed of its own, which is the same every time it is asked.
            seed = self.seed + int(digest("best", rows[0])[:8], 16)
            return sample_best_of_n(self.model, [self.state(x) for _, x, _ in rows], [z for _, _, z in rows], n, seed)

        return self._answer_questions("best", self._best, asked, compute, f"drawing the best of {n}", weight=n)

    def forward_log_prob(
        self, states: Sequence[State], actions: Sequence[str], next_states: Sequence[State]
    ) -> list[LogProb]:
        """log P(y | x, z) of each row, in nats."""
        rows = zip(states, actions, next_states, strict=True)
        asked = [("forward", self.key(x), z, self.key(y)) for x, z, y in rows]

        def compute(rows: Sequence[tuple[str, ...]]) -> list[LogProb]:
            _, x, z, y = zip(*rows, strict=True)
            return self.model.forward_log_prob([*map(self.state, x)], z, [*map(self.state, y)])

        return self._answer_questions("scores", self._scores, asked, compute, "scoring next states")

    def inverse_log_prob(
        self, states: Sequence[State], next_states: Sequence[State], actions: Sequence[str]
    ) -> list[LogProb]:
        """log Q(z | x, y) of each row, in nats."""
        rows = zip(states, next_states, actions, strict=True)
        asked = [("inverse", self.key(x), self.key(y), z) for x, y, z in rows]

        def compute(rows: Sequence[tuple[str, ...]]) -> list[LogProb]:
            _, x, y, z = zip(*rows, strict=True)
            return self.model.inverse_log_prob([*map(self.state, x)], [*map(self.state, y)], z)

        return self._answer_questions("scores", self._scores, asked, compute, "scoring actions")

    def log_prob_without_state(self, actions: Sequence[str], next_states: Sequence[State]) -> list[LogProb]:
        """log P(y | ∅, z) of each row, in nats, with the state left empty."""
        asked = [("alone", z, self.key(y)) for z, y in zip(actions, next_states, strict=True)]

        def compute(rows: Sequence[tuple[str, ...]]) -> list[LogProb]:
            return self.model.log_prob_without_state([z for _, z, _ in rows], [self.state(y) for _, _, y in rows])

        return self._answer_questions("scores", self._scores, asked, compute, "scoring next states without their state")

    def _checked_states(self, rows: Sequence[tuple[str, str]]) -> list[State]:
        """The greedy next states. The guess to check is the state observed next, or else the state itself."""
        guesses = [self._observed_next_state.get(x, x) for x, _ in rows]
        checked = self.model.imagine_with_guesses(
            [self.state(x) for x, _ in rows], [z for _, z in rows], [*map(self.state, guesses)]
        )
        asked = [("forward", x, z, guess) for (x, z), guess in zip(rows, guesses, strict=True)]
        self._remember_scores(asked, [score for _, score in checked])
        return [state for state, _ in checked]

    def _checked_actions(self, rows: Sequence[tuple[str, str]]) -> list[str]:
        """The greedy actions. The guess to check is the true action, or the one the next state was predicted from."""
        guesses = [self._guessed_action[row] for row in rows]
        checked = self.model.infer_with_guesses([(self.state(x), self.state(y)) for x, y in rows], guesses)
        asked = [("inverse", x, y, guess) for (x, y), guess in zip(rows, guesses, strict=True)]
        self._remember_scores(asked, [score for _, score in checked])
        return [action for action, _ in checked]

    def _remember_scores(self, questions: Sequence[tuple[str, ...]], scores: Sequence[LogProb]) -> None:
        """Store log-probabilities that were computed along with other answers."""
        for question, score in zip(questions, scores, strict=True):
            if question not in self._scores:
                self._scores[question] = score
                self._unsaved_scores.append(("scores", question, score))

    def _answer_questions(
        self,
        kind: str,
        known: dict[Question, Answer],
        asked: Sequence[Question],
        compute: Callable[[Sequence[Question]], list[Answer]],
        what: str,
        weight: float = 1.0,
    ) -> list[Answer]:
        new = sorted(self._unanswered_questions(kind, known, asked, weight), key=lambda row: sum(map(len, row)))
        for start in range(0, len(new), ROWS_AT_ONCE):
            if self.watch is not None:
                self.watch()
            rows = new[start : start + ROWS_AT_ONCE]
            answers = compute(rows)
            known.update(zip(rows, answers, strict=True))
            if self.cache is not None:
                self.cache.add([*((kind, *pair) for pair in zip(rows, answers, strict=True)), *self._unsaved_scores])
            self._unsaved_scores.clear()
            self._report_progress(start + len(rows), len(new), weight * len(rows), weight, what)
        return [known[row] for row in asked]

    def _unanswered_questions(
        self, kind: str, known: dict[Question, Answer], asked: Sequence[Question], weight: float
    ) -> list[Question]:
        """The questions without an answer, after taking over the cached answers of an earlier attempt."""
        new = [row for row in dict.fromkeys(asked) if row not in known]
        if self.cache is None:
            return new
        cached = {row: answer for row in new if (answer := self.cache.get(kind, row)) is not None}
        known.update(cached)
        if self.tracker is not None:
            self.tracker.done += weight * len(cached)
        return [row for row in new if row not in cached]

    def _report_progress(self, done: int, total: int, gained: float, weight: float, what: str) -> None:
        if self.tracker is not None:
            self.tracker.advance(gained, weight * (total - done), what)
        elif self.progress is not None:
            self.progress(done / total, what)
