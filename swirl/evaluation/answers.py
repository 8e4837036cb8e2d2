"""A model's predictions, inferred actions and log-probabilities, each computed once for all metrics."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from swirl import pictures
from swirl.evaluation.answer_cache import AnswerCache, digest
from swirl.evaluation.best_of import sample_best_of_n
from swirl.evaluation.progress import ProgressTracker
from swirl.evaluation.protocols import ActionSamplingModel, EvaluatedModel, GuessCheckingModel
from swirl.models.results import LogProb
from swirl.progress import ProgressCallback
from swirl.states import State, Transition

Question = TypeVar("Question", bound=tuple[str, ...])
Answer = TypeVar("Answer")

ROWS_AT_ONCE = 256
"""Rows given to the model at once, unless it names another number; the model splits them into batches of its own."""

FOLLOW_UP_SHARE = 0.6
"""The share of inferred actions and of predictions that are expected to be wrong before they are known."""

PROGRESS_KINDS = {
    "actions": "actions",
    "states": "states",
    "best": "states",
    "groups": "actions",
    "scores": "scores",
}
"""The kind of question by which each kind of answer is timed."""


class ModelAnswers:
    """Greedy answers and log-probabilities of one model, stored by question; states are identified by their keys.

    New questions go to the model together, short ones first, so that a batch holds rows of similar length. `progress`
    receives what is being computed and the share that is done, from 0 to 1: of this kind of question, or, if the
    numbers of questions by kind (`progress.RELATIVE_COST`) are given as `expected`, of the whole evaluation. With a
    `cache` the answers of an earlier attempt are read from its file, and new ones are written to it. `watch` is called
    before each batch; an exception from it ends the work.
    """

    def __init__(
        self,
        model: EvaluatedModel,
        seed: int = 0,
        progress: ProgressCallback | None = None,
        *,
        cache: AnswerCache | None = None,
        expected: Mapping[str, float] | None = None,
        watch: Callable[[], None] | None = None,
    ) -> None:
        self.model, self.seed, self.progress, self.cache, self.watch = model, seed, progress, cache, watch
        self.tracker = None if expected is None else ProgressTracker(progress, dict(expected))
        self._known: dict[str, State] = {}
        self._actions: dict[tuple[str, str], str] = {}
        self._states: dict[tuple[str, str], State] = {}
        self._best: dict[tuple[str, str, str], State] = {}
        self._groups: dict[tuple[str, str, str], tuple[str, ...]] = {}
        self._scores: dict[tuple[str, ...], LogProb] = {}
        self._observed_next_state: dict[str, str] = {}
        self._guessed_action: dict[tuple[str, str], str] = {}
        self._true_action_towards: dict[str, str] = {}
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
                self._true_action_towards.setdefault(y, actions[index])

    def expect(self, expected: Mapping[str, float]) -> None:
        """Correct how many questions of each kind there will be, if the share of the whole evaluation is reported."""
        if self.tracker is not None:
            self.tracker.expect(expected)

    def adjust_expected(self, kind: str, questions: float) -> None:
        """Correct the number of expected questions of a kind by so many, as `expect` does for all."""
        if self.tracker is not None:
            self.tracker.adjust(kind, questions)

    def count_new_predictions(self, states: Sequence[State], actions: Sequence[str]) -> int:
        """How many next states of these (x, z) have not been asked for yet."""
        return len({(self.key(x), z) for x, z in zip(states, actions, strict=True)} - self._states.keys())

    def before_pass(self) -> None:
        """To be called before each pass of the model: reports the progress, and lets `watch` end the work."""
        if self.tracker is not None:
            self.tracker.tick()
        if self.watch is not None:
            self.watch()

    def count_follow_ups(
        self, transitions: Sequence[Transition], true_actions: Sequence[str] | None
    ) -> tuple[float, float]:
        """How many predictions follow from inferred actions, and how many actions are read back from predictions.

        None does where an inferred action is the true one, or a prediction the observed next state. What is not
        answered yet is estimated.
        """
        pairs = [(self.key(t.state), self.key(t.next_state)) for t in transitions]
        inferred = [self._actions.get(pair) for pair in pairs]
        if None in inferred:
            share = 1.0 if true_actions is None else FOLLOW_UP_SHARE
            return share * len(pairs), FOLLOW_UP_SHARE * len(pairs)
        under_inferred = {(x, z) for (x, _), z in zip(pairs, inferred, strict=True)}
        under_true = set() if true_actions is None else {(x, z) for (x, _), z in zip(pairs, true_actions, strict=True)}
        predicted = [self._states.get((x, z)) for (x, _), z in zip(pairs, inferred, strict=True)]
        if None in predicted:
            return float(len(under_inferred - under_true)), FOLLOW_UP_SHARE * len(pairs)
        read_back = {(x, self.key(state)) for (x, _), state in zip(pairs, predicted, strict=True)} - set(pairs)
        return float(len(under_inferred - under_true)), float(len(read_back))

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
            if isinstance(self.model, GuessCheckingModel):
                return self._checked_actions(rows)
            pairs = [(self.state(x), self.state(y)) for x, y in rows]
            return [inference.action for inference in self.model.infer(pairs, alternatives=1, seed=self.seed)]

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
            seed = self._batch_seed("best", rows)
            return sample_best_of_n(self.model, [self.state(x) for _, x, _ in rows], [z for _, _, z in rows], n, seed)

        return self._answer_questions("best", self._best, asked, compute, f"drawing the best of {n}", weight=n)

    def sampled_actions(self, states: Sequence[State], next_states: Sequence[State], n: int) -> list[tuple[str, ...]]:
        """For each pair (x, y) `n` actions that the IDM samples at temperature 1; for an ActionSamplingModel only."""
        asked = [(str(n), self.key(x), self.key(y)) for x, y in zip(states, next_states, strict=True)]

        def compute(rows: Sequence[tuple[str, str, str]]) -> list[tuple[str, ...]]:
            assert isinstance(self.model, ActionSamplingModel)
            pairs = [(self.state(x), self.state(y)) for _, x, y in rows]
            sampled = self.model.sample_actions(pairs, n, seed=self._batch_seed("groups", rows))
            return [tuple(group) for group in sampled]

        return self._answer_questions("groups", self._groups, asked, compute, "sampling actions", weight=n)

    def _batch_seed(self, kind: str, rows: Sequence[tuple[str, ...]]) -> int:
        """The seed of a batch: its own, and the same every time it is asked."""
        return self.seed + int(digest(kind, rows[0])[:8], 16)

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
        """The greedy actions. The guess to check is the true action, or the one the next state was predicted from.

        For a next state from elsewhere it is the true action that led to it there, or else the empty one.
        """
        guesses = [self._guessed_action.get(row, self._true_action_towards.get(row[1], "")) for row in rows]
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
        progress_kind = PROGRESS_KINDS[kind]
        new = sorted(self._unanswered_questions(kind, known, asked, progress_kind, weight), key=batch_order)
        size = max(1, int(getattr(self.model, "rows_at_once", ROWS_AT_ONCE) // weight))
        for start in range(0, len(new), size):
            rows = new[start : start + size]
            rest = len(new) - start - len(rows)
            if self.tracker is not None:
                self.tracker.start_batch(progress_kind, weight * len(rows), weight * rest, what)
            if self.watch is not None:
                self.watch()
            answers = compute(rows)
            known.update(zip(rows, answers, strict=True))
            if self.cache is not None:
                self.cache.add([*((kind, *pair) for pair in zip(rows, answers, strict=True)), *self._unsaved_scores])
            self._unsaved_scores.clear()
            if self.tracker is not None:
                self.tracker.end_batch()
            elif self.progress is not None:
                self.progress((start + len(rows)) / len(new), what)
        return [known[row] for row in asked]

    def _unanswered_questions(
        self, kind: str, known: dict[Question, Answer], asked: Sequence[Question], progress_kind: str, weight: float
    ) -> list[Question]:
        """The questions without an answer, after taking over the cached answers of an earlier attempt."""
        new = [row for row in dict.fromkeys(asked) if row not in known]
        if self.cache is None:
            return new
        cached = {row: answer for row in new if (answer := self.cache.get(kind, row)) is not None}
        known.update(cached)
        if self.tracker is not None:
            self.tracker.count_known(progress_kind, weight * len(cached))
        return [row for row in new if row not in cached]


def batch_order(question: tuple[str, ...]) -> tuple[int, str, str, int]:
    """The key that sorts questions by length, with next states of the same transition one after another.

    The model computes only once what the prompts of neighbours have in common.
    """
    if question[0] == "forward" and len(question) == 4:
        _, x, z, y = question
        return len(x) + len(y), x, y, len(z)
    return sum(map(len, question)), "", "", 0
