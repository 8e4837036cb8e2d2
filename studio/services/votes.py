"""Blind votes between two predicted next states; only the server knows which checkpoint made which until the vote."""

from __future__ import annotations

import random
import secrets
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from studio.services.history_store import history
from studio.view_models.comparison import CheckpointAnswer, is_same_next_state
from swirl.errors import SwirlError
from swirl.history import PREFERENCE_CHOICES, Preference
from swirl.states import Transition

MAX_OPEN_QUESTIONS = 64  # questions open at a time, one per browser tab


@dataclass(frozen=True)
class Question:
    """Two next states predicted for one transition, on random sides; `ticket` identifies the question to the page.

    `left` and `right` are the names of the checkpoints, `answers` their answers in the same order.
    """

    ticket: str
    data: str
    transition: Transition
    left: str
    right: str
    answers: tuple[CheckpointAnswer, CheckpointAnswer]


@dataclass(frozen=True)
class VoteRound:
    """The next question, if any, how many remain with it, and how many pairs are skipped as identical."""

    question: Question | None
    remaining: int
    identical_pairs: int


class Votes:
    """Asks the questions of one home and records the votes."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._open: OrderedDict[str, Question] = OrderedDict()
        self._guard = threading.Lock()
        self._random = random.SystemRandom()

    def ask(
        self,
        names: Sequence[str],
        data: str,
        transitions: Sequence[Transition],
        answers: Sequence[Sequence[CheckpointAnswer | None]],
    ) -> VoteRound:
        """Draw a question without a vote yet, at random; the round has none if all have been voted on.

        `answers` holds, for each checkpoint of `names`, its answer to each of `transitions`.
        """
        done = {
            (vote.sequence, vote.step, frozenset((vote.left, vote.right)))
            for vote in history(self.home).preferences(data, names)
        }
        remaining, identical = [], 0
        for transition, row in zip(transitions, zip(*answers, strict=True), strict=True):
            for (one, first), (other, second) in combinations(zip(names, row, strict=True), 2):
                if first is None or second is None or one == other:
                    continue
                if is_same_next_state(first, second):
                    identical += 1
                elif (transition.sequence_id, transition.step, frozenset((one, other))) not in done:
                    remaining.append((transition, (one, first), (other, second)))
        if not remaining:
            return VoteRound(None, 0, identical)
        transition, *sides = self._random.choice(remaining)
        self._random.shuffle(sides)
        (left, first), (right, second) = sides
        question = Question(secrets.token_hex(8), data, transition, left, right, (first, second))
        with self._guard:
            self._open[question.ticket] = question
            while len(self._open) > MAX_OPEN_QUESTIONS:
                self._open.popitem(last=False)
        return VoteRound(question, len(remaining), identical)

    def vote(self, ticket: str, choice: str) -> Preference:
        """Record a vote and reveal the checkpoints. Raises SwirlError if the question is no longer open."""
        if choice not in PREFERENCE_CHOICES:
            raise SwirlError(f"A vote is one of {', '.join(PREFERENCE_CHOICES)}, not {choice}.")
        with self._guard:
            question = self._open.pop(ticket, None)
        if question is None:
            raise SwirlError("This question is no longer open; vote on the next one.")
        place = {"sequence": question.transition.sequence_id, "step": question.transition.step}
        sides = {"left": question.left, "right": question.right}
        try:
            vote_id = history(self.home).add_preference(data=question.data, **place, **sides, choice=choice)
        except BaseException:
            with self._guard:
                self._open[ticket] = question  # so that the same vote can be given again
            raise
        return Preference(vote_id, question.data, **place, **sides, choice=choice, created="")
