"""Blind votes between two next states: who made which is known to the server alone until the vote is kept."""

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
from studio.view_models.comparison import CheckpointAnswer
from swirl.errors import SwirlError
from swirl.history import PREFERENCE_CHOICES, Preference
from swirl.states import Transition

MAX_OPEN_QUESTIONS = 64  # questions that may be open at a time, in as many tabs


@dataclass(frozen=True)
class Question:
    """Two next states imagined from one transition, on sides drawn at random; `ticket` stands for who made them."""

    ticket: str
    data: str
    transition: Transition
    left: str
    right: str
    answers: tuple[CheckpointAnswer, CheckpointAnswer]


@dataclass(frozen=True)
class VoteRound:
    """What is left to be voted on: `alike` pairs of equal next states are not asked."""

    question: Question | None
    remaining: int
    identical_pairs: int


class Votes:
    """The open questions of one home, and the votes that were kept."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._open: OrderedDict[str, Question] = OrderedDict()
        self._guard = threading.Lock()
        self._chance = random.SystemRandom()

    def ask(
        self,
        names: Sequence[str],
        data: str,
        transitions: Sequence[Transition],
        told: Sequence[Sequence[CheckpointAnswer | None]],
    ) -> VoteRound:
        """A question that was not voted on yet, drawn at random; none when all are."""
        done = {
            (vote.sequence, vote.step, frozenset((vote.left, vote.right)))
            for vote in history(self.home).preferences(data, names)
        }
        open_, alike = [], 0
        for transition, answers in zip(transitions, zip(*told, strict=True), strict=True):
            for (one, first), (other, second) in combinations(zip(names, answers, strict=True), 2):
                if first is None or second is None or one == other:
                    continue
                if first.imagined == second.imagined:
                    alike += 1
                elif (transition.sequence_id, transition.step, frozenset((one, other))) not in done:
                    open_.append((transition, (one, first), (other, second)))
        if not open_:
            return VoteRound(None, 0, alike)
        transition, *both = self._chance.choice(open_)
        self._chance.shuffle(both)
        (left, first), (right, second) = both
        question = Question(secrets.token_hex(8), data, transition, left, right, (first, second))
        with self._guard:
            self._open[question.ticket] = question
            while len(self._open) > MAX_OPEN_QUESTIONS:
                self._open.popitem(last=False)
        return VoteRound(question, len(open_), alike)

    def vote(self, ticket: str, choice: str) -> Preference:
        """Keep a vote and tell who was who. Raises SwirlError for a question that is no longer open."""
        if choice not in PREFERENCE_CHOICES:
            raise SwirlError(f"A vote is one of {', '.join(PREFERENCE_CHOICES)}, not {choice}.")
        with self._guard:
            question = self._open.pop(ticket, None)
        if question is None:
            raise SwirlError("This question is no longer open; the next one has come up.")
        at = {"sequence": question.transition.sequence_id, "step": question.transition.step}
        sides = {"left": question.left, "right": question.right}
        kept = history(self.home).add_preference(data=question.data, **at, **sides, choice=choice)
        return Preference(kept, question.data, **at, **sides, choice=choice, created="")
