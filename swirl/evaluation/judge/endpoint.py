"""The judge's endpoint: read it from the environment, and send it one question, with retries."""

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
"""Status codes that are worth another attempt."""
FATAL_STATUSES = frozenset({401, 403, 404, 405})
"""Status codes that every question would get."""
SAMPLING_OPTIONS = {"temperature": 0, "max_tokens": 400}
"""Options sent with a question; an option that the model refuses is left out of the next attempt."""
LONGEST_WAIT = 60.0
"""The longest `Retry-After`, in seconds, that is obeyed."""


@dataclass(frozen=True)
class Endpoint:
    """An OpenAI-compatible endpoint; `price` is per million tokens, in and out, in any currency."""

    url: str
    model: str
    key: str = field(default="", repr=False)
    price: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """The model's text, and the tokens that the endpoint counted (0 if it does not report them)."""

    text: str
    tokens_in: int
    tokens_out: int


class NoAnswer(Exception):
    """There is no answer. The message is the predicate of a sentence that starts with "the judge".

    `is_fatal`: every other question would fail the same way. `is_silent`: the endpoint did not answer at all.
    """

    def __init__(self, why: str, *, is_fatal: bool = False, is_silent: bool = False) -> None:
        super().__init__(why)
        self.is_fatal, self.is_silent = is_fatal, is_silent


def endpoint_from_environment(price: str | None = None) -> Endpoint:
    """The endpoint that the environment names; `price` ("2.5,10") takes precedence over SWIRL_JUDGE_PRICE.

    Raises UsageError with what is missing or malformed.
    """
    url, model = os.environ.get(URL_VARIABLE, "").strip().rstrip("/"), os.environ.get(MODEL_VARIABLE, "").strip()
    if missing := [name for name, value in ((URL_VARIABLE, url), (MODEL_VARIABLE, model)) if not value]:
        raise UsageError(
            f"--judge needs {' and '.join(missing)} in the environment: the base URL of an OpenAI-compatible endpoint "
            f"(such as http://127.0.0.1:8000/v1) and the model's name; set {KEY_VARIABLE} too if it needs a key."
        )
    if not url.startswith(("http://", "https://")):
        raise UsageError(
            f"{URL_VARIABLE} is {url!r}, which is not an http address; give the base URL, such as http://HOST/v1."
        )
    text = price or os.environ.get(PRICE_VARIABLE, "")
    return Endpoint(url, model, os.environ.get(KEY_VARIABLE, "").strip(), parse_price(text) if text.strip() else None)


def parse_price(text: str) -> tuple[float, float]:
    """A price as "IN,OUT" per million tokens, or one number for both. Raises UsageError for anything else."""
    try:
        prices = [float(part) for part in text.split(",")]
    except ValueError:
        prices = []
    if len(prices) not in (1, 2) or not all(0 <= price < float("inf") for price in prices):
        raise UsageError(
            f"The judge's price {text!r} is not IN,OUT; give the price per million tokens, such as 2.5,10."
        )
    return prices[0], prices[-1]


def request_completion(
    client: httpx.Client,
    endpoint: Endpoint,
    messages: list[dict[str, Any]],
    *,
    attempts: int,
    pause: float,
    sleep: Callable[[float], None] = time.sleep,
) -> Reply:
    """Send one question, up to `attempts` times, waiting `pause`, 2 `pause`, 4 `pause` … seconds in between.

    Another attempt follows a time-out, a broken connection, and the statuses in RETRY_STATUSES; a `Retry-After` header
    is obeyed, up to LONGEST_WAIT. Raises NoAnswer if no attempt was answered.
    """
    headers = {"Authorization": f"Bearer {endpoint.key}"} if endpoint.key else {}
    options: dict[str, Any] = dict(SAMPLING_OPTIONS)
    problem = "was not asked"
    for attempt in range(attempts):
        wait = pause * 2**attempt
        try:
            body = {"model": endpoint.model, "messages": messages, **options}
            answer = client.post(f"{endpoint.url}/chat/completions", headers=headers, json=body)
        except httpx.TimeoutException:
            problem = "did not answer in time"
        except (httpx.TransportError, httpx.InvalidURL) as error:
            problem = f"cannot be reached ({str(error) or type(error).__name__})"
        else:
            if answer.is_success:
                return parse_reply(answer)
            problem = f"answered {answer.status_code}{error_reason(answer, endpoint)}"
            refused = [name for name in options if answer.status_code == 400 and name in answer.text]
            if not refused and answer.status_code not in RETRY_STATUSES:
                raise NoAnswer(problem, is_fatal=answer.status_code in FATAL_STATUSES)
            options = {name: value for name, value in options.items() if name not in refused}
            wait = 0.0 if refused else max(wait, retry_after_seconds(answer))
        if attempt + 1 < attempts:
            sleep(wait)
    raise NoAnswer(f"{problem} ({attempts} attempts)", is_silent=True)


def parse_reply(answer: httpx.Response) -> Reply:
    """The reply in a chat completion. Raises NoAnswer for a refusal, or if the response is not a chat completion."""
    try:
        document = answer.json()
        choice = document["choices"][0]
        message = choice["message"]
        text, refusal = message.get("content"), message.get("refusal")
        usage = document.get("usage") or {}
        counts = [int(usage.get(name) or 0) for name in ("prompt_tokens", "completion_tokens")]
    except (ValueError, LookupError, TypeError, AttributeError):
        raise NoAnswer("answered with something other than a chat completion") from None
    if refusal or choice.get("finish_reason") == "content_filter":
        raise NoAnswer("refused to answer")
    if not isinstance(text, str) or not text.strip():
        raise NoAnswer("gave an empty answer")
    return Reply(text, *counts)


def error_reason(answer: httpx.Response, endpoint: Endpoint) -> str:
    """The server's reason, shortened and with the key removed.

    For a rejected key the server's text is left out, since it may repeat part of the key.
    """
    if answer.status_code in (401, 403):
        return f", so the key in {KEY_VARIABLE} is not accepted"
    text = " ".join(answer.text.split())[:120]
    if endpoint.key:
        text = text.replace(endpoint.key, "…")
    return f" ({text})" if text else ""


def retry_after_seconds(answer: httpx.Response) -> float:
    """The seconds of `Retry-After`, up to LONGEST_WAIT; 0 if there is no usable one."""
    try:
        return min(LONGEST_WAIT, max(0.0, float(answer.headers.get("Retry-After", 0))))
    except ValueError:
        return 0.0
