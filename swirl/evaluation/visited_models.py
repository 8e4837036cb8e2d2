"""Ask several models about the same transitions, with one of them loaded at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field

from swirl.errors import SwirlError
from swirl.evaluation.answer_cache import AnswerCache
from swirl.evaluation.answers import ModelAnswers
from swirl.evaluation.evaluated_rows import EvaluatedRows
from swirl.evaluation.protocols import EvaluatedModel, limit_prediction_length
from swirl.evaluation.report import watch_passes
from swirl.progress import ProgressCallback
from swirl.states import Transition

OpenModel = Callable[[str], AbstractContextManager[EvaluatedModel]]
"""Opens a model by its name for as long as the block runs."""


@dataclass
class VisitedModels:
    """Models by name, opened when they are asked; what one has answered is known at its next visit.

    `expected` is the number of questions of each kind that each model will be asked (`progress.RELATIVE_COST`);
    `progress` receives the share that is done of all of them, and what is being computed. `watch` is called before each
    pass of a model; an exception from it ends the work. `caches` hold the answers of an earlier attempt, by name.
    """

    open_model: OpenModel
    transitions: Sequence[Transition]
    true_actions: Sequence[str] | None
    expected: Mapping[str, Mapping[str, float]]
    progress: ProgressCallback | None = None
    watch: Callable[[], None] | None = None
    caches: Mapping[str, AnswerCache] = field(default_factory=dict)
    shares: dict[str, float] = field(default_factory=dict)
    answers: dict[str, ModelAnswers] = field(default_factory=dict)

    @contextmanager
    def visit(self, name: str) -> Iterator[EvaluatedRows]:
        """Open a model for the block, and yield the transitions with its answers.

        Raises SwirlError for a model that infers no actions.
        """
        self._report(name, self.shares.get(name, 0.0), "loading")
        with self.open_model(name) as model:
            if not getattr(model, "is_trainable", True):
                raise SwirlError(f"{name} only predicts next states; it infers no actions. Choose another checkpoint.")
            answers = self._answers_of(name, model)
            rows = EvaluatedRows(self.transitions, self.true_actions, answers)
            with limit_prediction_length(model, rows.next_states), watch_passes(model, answers.before_pass):
                yield rows

    def finish(self, name: str) -> None:
        """A model will not be asked again."""
        self._report(name, 1.0, "done")

    def _answers_of(self, name: str, model: EvaluatedModel) -> ModelAnswers:
        """What a model has answered so far; new questions go to `model`, which is the same one, opened again."""
        if name not in self.answers:
            answers = ModelAnswers(
                model,
                progress=lambda share, words: self._report(name, share, words),
                cache=self.caches.get(name),
                expected=self.expected[name],
                watch=self.watch,
            )
            answers.remember_observed(self.transitions, self.true_actions)
            self.answers[name] = answers
        self.answers[name].model = model
        return self.answers[name]

    def _report(self, name: str, share: float, words: str) -> None:
        self.shares[name] = share
        if self.progress is not None:
            self.progress(sum(self.shares.values()) / len(self.expected), f"{name}: {words}")
