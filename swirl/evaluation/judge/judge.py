"""Asking a judge many questions: what is known already is not asked again, and one bad answer spoils nothing else."""

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
"""Questions in a row without any answer, each tried several times, after which the rest is not asked."""


class Judge:
    """An endpoint with a memory, and an account of what was asked.

    `asked` counts the answers that came over the wire, `kept` those that were known; `tokens` are those the endpoint
    counted, in and out; `failures` holds why questions got no score, with what they were about, in their order.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        history: History,
        *,
        timeout: float = 90.0,
        attempts: int = 4,
        pause: float = 1.0,
        at_once: int = 4,
    ) -> None:
        self.endpoint, self.history, self.attempts, self.pause = endpoint, history, attempts, pause
        self.timeout, self.at_once = timeout, at_once
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
        """The score that `read` finds in each answer; None, with the reason in `failures`, where there is none.

        Only answers that `read` can use are kept. Once the endpoint is known to be of no use, nothing more is asked.
        """
        scores: list[Score | None] = []
        pool = ThreadPoolExecutor(self.at_once)
        with httpx.Client(timeout=self.timeout) as client:
            try:
                answers = pool.map(lambda question: self._score_or_reason(client, question, read), questions)
                for question, (score, why) in zip(questions, answers, strict=True):
                    scores.append(score)
                    if why is not None:  # noted here and not where it happened: threads end in any order
                        self.failures.setdefault(why, []).append(question.subject)
                    if progress is not None:
                        progress(len(scores) / len(questions), "asking the judge")
            finally:
                pool.shutdown(cancel_futures=True)  # after an interruption the questions in line are not asked
        return scores

    def _score_or_reason(
        self, client: httpx.Client, question: Question, read: Callable[[str], Score]
    ) -> tuple[Score | None, str | None]:
        """The score of one answer, or the reason why there is none."""
        try:
            return self._score(client, question, read), None
        except NoAnswer as problem:
            with self._lock:
                self._silences = self._silences + 1 if problem.silent else 0
                if problem.of_all or self._silences >= MAX_UNANSWERED_IN_A_ROW:
                    self._given_up = self._given_up or f"was not asked any more, for it {problem}"
            return None, f"the judge {problem}"
        except InvalidAnswerError as problem:
            return None, f"the judge's answer {problem}"
        except SwirlError as problem:  # a picture that cannot be shown
            return None, str(problem).rstrip(".")

    def _score(self, client: httpx.Client, question: Question, read: Callable[[str], Score]) -> Score:
        if not question.instruction.strip():
            raise InvalidAnswerError("was not asked for, because the instruction is empty")
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
        """The hash under which an answer is kept: of the endpoint, its model, the words and the pictures."""
        asked = {"url": self.endpoint.url, "model": self.endpoint.model, "messages": messages}
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()

    def complaints(self) -> list[str]:
        """One sentence for each reason why something was not judged: how many, the reason, and the first of them."""
        found = []
        for why, abouts in self.failures.items():
            count = f"{len(abouts)} are not judged" if len(abouts) > 1 else "1 is not judged"
            found.append(f"{count}: {why} (first at {abouts[0]}).")
        return found

    def cost(self) -> float | None:
        """The money for the tokens that the endpoint counted; None without a price."""
        price = self.endpoint.price
        return None if price is None else (self.tokens[0] * price[0] + self.tokens[1] * price[1]) / 1e6

    def account(self) -> dict[str, Any]:
        """What was asked and what came of it, as JSON."""
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
