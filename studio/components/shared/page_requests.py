"""Requests from a page's script to the server: functions from dict to dict, whose errors return as sentences."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any

from studio.services import text_streams
from swirl.errors import SwirlError

log = logging.getLogger(__name__)

Request = dict[str, Any]
Answer = dict[str, Any]


def request_handlers(*functions: Callable[[Request], Answer]) -> list[Callable[[Request], Answer]]:
    """The functions as `server_functions` of a `gr.HTML`; an exception becomes the answer `{"error": sentence}`.

    With them comes `growing`, by which a page sees what a model is writing for a request that it has named by `stream`.
    """
    return [*(_with_error_answers(function) for function in functions), _with_error_answers(growing)]


def growing(request: Request) -> Answer:
    """The texts so far of the request that the page has named by `stream`."""
    return {"texts": text_streams.growing_texts(get_text(request, "stream"))}


def _with_error_answers(function: Callable[[Request], Answer]) -> Callable[[Request], Answer]:
    @functools.wraps(function)
    def answer(request: Request) -> Answer:
        try:
            values = request if isinstance(request, dict) else {}
            if function is growing:
                return function(values)
            with text_streams.answering(get_text(values, "stream")):
                return function(values)
        except SwirlError as error:
            return {"error": str(error)}
        except Exception as error:
            # The page must stay usable after any error; the terminal gets the traceback.
            log.exception("the studio failed to answer %s", function.__name__)
            problem = f"{type(error).__name__}: {error}"
            return {"error": f"The studio failed here ({problem}); see its terminal for the traceback."}

    return answer


def get_integer(request: Request, key: str, low: int, high: int) -> int:
    """An integer of the request, clamped to [low, high]; `low` if it is missing or not a number."""
    try:
        value = int(request.get(key) or low)
    except (TypeError, ValueError):
        value = low
    return max(low, min(high, value))


def get_text(request: Request, key: str) -> str:
    """A text of the request; '' if it is missing or not a text."""
    value = request.get(key)
    return value if isinstance(value, str) else ""


def get_texts(request: Request, key: str) -> list[str]:
    """The texts in a list of the request; empty if it is missing or not a list."""
    value = request.get(key)
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
