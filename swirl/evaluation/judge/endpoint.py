"""The judge's endpoint: where it is, and one question put to it, with retries."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from swirl.errors import UsageError

URL_VARIABLE, MODEL_VARIABLE, KEY_VARIABLE, PRICE_VARIABLE = (
    "SWIRL_JUDGE_URL",
    "SWIRL_JUDGE_MODEL",
    "SWIRL_JUDGE_KEY",
    "SWIRL_JUDGE_PRICE",
)
RETRY_STATUSES = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
"""Answers of a server that are worth another attempt."""
FATAL_STATUSES = frozenset({401, 403, 404, 405})
"""Answers that every question would get."""
SAMPLING_OPTIONS = {"temperature": 0, "max_tokens": 400}
"""What is asked of an endpoint that knows it; some models refuse one or the other."""
LONGEST_WAIT = 60.0


@dataclass(frozen=True)
class Endpoint:
    """An OpenAI-compatible endpoint; `price` is of a million tokens, in and out, in any currency."""

    url: str
    model: str
    key: str = field(default="", repr=False)
    price: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model said, and the tokens that the endpoint counted (0 where it does not say)."""

    text: str
    tokens_in: int
    tokens_out: int


class NoAnswer(Exception):
    """Why there is no answer, as the predicate of "the judge".

    `of_all`: every other question would fare the same. `silent`: the endpoint did not answer at all.
    """

    def __init__(self, why: str, *, of_all: bool = False, silent: bool = False) -> None:
        super().__init__(why)
        self.of_all, self.silent = of_all, silent


def endpoint_from_environment(price: str | None = None) -> Endpoint:
    """The endpoint that the environment names; `price` ("2.5,10") goes before SWIRL_JUDGE_PRICE.

    Raises UsageError that says what is missing.
    """
    url, model = os.environ.get(URL_VARIABLE, "").strip().rstrip("/"), os.environ.get(MODEL_VARIABLE, "").strip()
    if missing := [name for name, value in ((URL_VARIABLE, url), (MODEL_VARIABLE, model)) if not value]:
        raise UsageError(
            f"--judge needs {' and '.join(missing)} in the environment: the base URL of an OpenAI-compatible endpoint "
            f"(such as http://127.0.0.1:8000/v1) and the model's name; {KEY_VARIABLE} holds the key, if it wants one."
        )
    if not url.startswith(("http://", "https://")):
        raise UsageError(
            f"{URL_VARIABLE} is {url!r}, which is no http address; give the base URL, such as http://HOST/v1."
        )
    text = price or os.environ.get(PRICE_VARIABLE, "")
    return Endpoint(url, model, os.environ.get(KEY_VARIABLE, "").strip(), parse_price(text) if text.strip() else None)


def parse_price(text: str) -> tuple[float, float]:
    """A price as "IN,OUT" a million tokens, or one number for both. Raises UsageError for anything else."""
    try:
        found = [float(part) for part in text.split(",")]
    except ValueError:
        found = []
    if len(found) not in (1, 2) or not all(0 <= number < float("inf") for number in found):
        raise UsageError(f"The judge's price {text!r} is not IN,OUT a million tokens, such as 2.5,10.")
    return found[0], found[-1]


def request_completion(
    client: httpx.Client,
    endpoint: Endpoint,
    messages: list[dict[str, Any]],
    *,
    attempts: int,
    pause: float,
    sleep: Callable[[float], None] = time.sleep,
) -> Reply:
    """Put one question, up to `attempts` times, waiting `pause`, 2 `pause`, 4 `pause` … seconds in between.

    Another attempt is made after a time-out, a broken connection, 408, 409, 425, 429 and the 500s; a `Retry-After` of
    the server is kept to, up to a minute. Raises NoAnswer when none was to be had.
    """
    headers = {"Authorization": f"Bearer {endpoint.key}"} if endpoint.key else {}
    limits: dict[str, Any] = dict(SAMPLING_OPTIONS)
    trouble = "was not asked"
    for attempt in range(attempts):
        wait = pause * 2**attempt
        try:
            body = {"model": endpoint.model, "messages": messages, **limits}
            answer = client.post(f"{endpoint.url}/chat/completions", headers=headers, json=body)
        except httpx.TimeoutException:
            trouble = "did not answer in time"
        except (httpx.TransportError, httpx.InvalidURL) as error:
            trouble = f"cannot be reached ({str(error) or type(error).__name__})"
        else:
            if answer.is_success:
                return parse_reply(answer)
            trouble = f"answered {answer.status_code}{error_reason(answer, endpoint)}"
            refused = [name for name in limits if answer.status_code == 400 and name in answer.text]
            if not refused and answer.status_code not in RETRY_STATUSES:
                raise NoAnswer(trouble, of_all=answer.status_code in FATAL_STATUSES)
            limits = {name: value for name, value in limits.items() if name not in refused}
            wait = 0.0 if refused else max(wait, retry_after_seconds(answer))
        if attempt + 1 < attempts:
            sleep(wait)
    raise NoAnswer(f"{trouble} ({attempts} attempts)", silent=True)


def parse_reply(answer: httpx.Response) -> Reply:
    """What a completion says. Raises NoAnswer for a refusal, and for what is no completion."""
    try:
        document = answer.json()
        choice = document["choices"][0]
        message = choice["message"]
        text, refusal = message.get("content"), message.get("refusal")
        usage = document.get("usage") or {}
        counts = [int(usage.get(name) or 0) for name in ("prompt_tokens", "completion_tokens")]
    except (ValueError, LookupError, TypeError, AttributeError):
        raise NoAnswer("answered something that is no chat completion") from None
    if refusal or choice.get("finish_reason") == "content_filter":
        raise NoAnswer("refused to answer")
    if not isinstance(text, str) or not text.strip():
        raise NoAnswer("answered nothing")
    return Reply(text, *counts)


def error_reason(answer: httpx.Response, endpoint: Endpoint) -> str:
    """The server's reason, shortened and never with the key in it; of a refused key none, for it may repeat the key."""
    if answer.status_code in (401, 403):
        return f", so the key in {KEY_VARIABLE} is not accepted"
    text = " ".join(answer.text.split())[:120]
    if endpoint.key:
        text = text.replace(endpoint.key, "…")
    return f" ({text})" if text else ""


def retry_after_seconds(answer: httpx.Response) -> float:
    """The seconds of `Retry-After`, up to a minute; 0 where there is none."""
    try:
        return min(LONGEST_WAIT, max(0.0, float(answer.headers.get("Retry-After", 0))))
    except ValueError:
        return 0.0
