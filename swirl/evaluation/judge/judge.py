"""Ask a judge many questions: known answers are reused, and one bad answer does not affect the others."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import httpx

from swirl.errors import SwirlError
from swirl.evaluation.judge.answer_parsing import InvalidAnswerError
from swirl.evaluation.judge.endpoint import Endpoint, NoAnswer, request_completion
from swirl.evaluation.judge.question import Question
from swirl.history import History
from swirl.progress import ProgressCallback

Score = TypeVar("Score")
MAX_UNANSWERED_IN_A_ROW = 3
"""Consecutive questions without any answer, each tried several times, after which no more are asked."""


class Judge:
    """An endpoint whose answers are kept in the history, with an account of the questions.

    `answers_received` counts the answers from the endpoint, `answers_reused` those from the history; `tokens` are those
    that the endpoint counted, in and out; `failures` maps each reason for a missing score to the subjects of the
    questions, in their order. At most `max_concurrent` questions are asked at a time; `timeout` and `pause` are in
    seconds.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        history: History,
        *,
        timeout: float = 90.0,
        attempts: int = 4,
        pause: float = 1.0,
        max_concurrent: int = 4,
    ) -> None:
        self.endpoint, self.history, self.attempts, self.pause = endpoint, history, attempts, pause
        self.timeout, self.max_concurrent = timeout, max_concurrent
        self.answers_received = self.answers_reused = 0
        self.tokens = [0, 0]
        self.failures: dict[str, list[str]] = {}
        self._lock = threading.Lock()
        self._silences = 0
        self._given_up: str | None = None

    def ask(
        self,
        questions: Sequence[Question],
        read: Callable[[str], Score],
        progress: ProgressCallback | None = None,
    ) -> list[Score | None]:
        """The score that `read` finds in each answer; None, with the reason in `failures`, if there is none.

        Only answers that `read` accepts are kept. Once the endpoint is known not to answer, nothing more is asked.
        """
        scores: list[Score | None] = []
        pool = ThreadPoolExecutor(self.max_concurrent)
        with httpx.Client(timeout=self.timeout) as client:
            try:
                answers = pool.map(lambda question: self._score_or_reason(client, question, read), questions)
                for question, (score, why) in zip(questions, answers, strict=True):
                    scores.append(score)
                    if why is not None:  # recorded here, in the order of the questions, since threads end in any order
                        self.failures.setdefault(why, []).append(question.subject)
                    if progress is not None:
                        progress(len(scores) / len(questions), "asking the judge")
            finally:
                pool.shutdown(cancel_futures=True)  # after an interruption the waiting questions are not asked
        return scores

    def _score_or_reason(
        self, client: httpx.Client, question: Question, read: Callable[[str], Score]
    ) -> tuple[Score | None, str | None]:
        """The score of one answer, or the reason why there is none."""
        try:
            return self._score(client, question, read), None
        except NoAnswer as problem:
            with self._lock:
                self._silences = self._silences + 1 if problem.is_silent else 0
                if problem.is_fatal or self._silences >= MAX_UNANSWERED_IN_A_ROW:
                    self._given_up = self._given_up or f"was not asked any more because it {problem}"
            return None, f"the judge {problem}"
        except InvalidAnswerError as problem:
            return None, f"the judge's answer {problem}"
        except SwirlError as problem:  # a picture cannot be read
            return None, str(problem).rstrip(".")

    def _score(self, client: httpx.Client, question: Question, read: Callable[[str], Score]) -> Score:
        if not question.instruction.strip():
            raise InvalidAnswerError("was not requested because the instruction is empty")
        messages = question.messages()
        key = self.key(messages)
        known = self.history.judgement(key)
        if known is not None:
            score = read(known)
            with self._lock:
                self.answers_reused += 1
            return score
        if self._given_up is not None:
            raise NoAnswer(self._given_up)
        reply = request_completion(client, self.endpoint, messages, attempts=self.attempts, pause=self.pause)
        with self._lock:
            self._silences = 0
            self.answers_received += 1
            self.tokens = [self.tokens[0] + reply.tokens_in, self.tokens[1] + reply.tokens_out]
        score = read(reply.text)
        self.history.save_judgement(key, self.endpoint.model, reply.text)
        return score

    def key(self, messages: list[dict[str, Any]]) -> str:
        """The hash under which an answer is kept: of the endpoint, its model, the text and the pictures."""
        asked = {"url": self.endpoint.url, "model": self.endpoint.model, "messages": messages}
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()

    def complaints(self) -> list[str]:
        """One sentence for each reason why items were not judged: how many, the reason, and the first of them."""
        sentences = []
        for why, subjects in self.failures.items():
            count = f"{len(subjects)} items are not judged" if len(subjects) > 1 else "1 item is not judged"
            sentences.append(f"{count}: {why} (first: {subjects[0]}).")
        return sentences

    def cost(self) -> float | None:
        """The cost of the tokens that the endpoint counted; None without a price."""
        price = self.endpoint.price
        return None if price is None else (self.tokens[0] * price[0] + self.tokens[1] * price[1]) / 1e6

    def account(self) -> dict[str, Any]:
        """The numbers of questions, answers, tokens and failures, and the cost, as JSON."""
        return {
            "model": self.endpoint.model,
            "url": self.endpoint.url,
            "asked": self.answers_received,
            "kept": self.answers_reused,
            "tokens_in": self.tokens[0],
            "tokens_out": self.tokens[1],
            "cost": self.cost(),
            "not_judged": sum(map(len, self.failures.values())),
            "complaints": self.complaints(),
        }
