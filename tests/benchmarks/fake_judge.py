"""A fake judge on localhost: the part of a chat endpoint that judging needs. It answers as a test tells it to."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "sk-onlyForThisTest"
Answer = str | int | tuple[int, dict[str, str]] | None
"""An answer: the text of a completion, a status, a status with headers, or None for silence."""


def request_text(request: dict[str, Any]) -> str:
    """The text of a request."""
    content = request["messages"][0]["content"]
    return content if isinstance(content, str) else content[0]["text"]


def request_pictures(request: dict[str, Any]) -> list[str]:
    """The addresses of the pictures in a request."""
    content = request["messages"][0]["content"]
    return [] if isinstance(content, str) else [part["image_url"]["url"] for part in content[1:]]


class FakeJudge:
    """`answer` maps a request to an Answer; `requests` holds all requests. A None answer lasts `silence` seconds."""

    def __init__(self, answer: Callable[[dict[str, Any]], Answer], silence: float = 1.0) -> None:
        self.answer, self.silence = answer, silence
        self.requests: list[dict[str, Any]] = []
        judge = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                judge.reply(self)

            def log_message(self, *_: Any) -> None:
                """Log nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def reply(self, to: BaseHTTPRequestHandler) -> None:
        """Answer one request as the test wants."""
        body = json.loads(to.rfile.read(int(to.headers["Content-Length"])))
        self.requests.append(body)
        if to.path != "/v1/chat/completions":
            return send(to, 404, {"error": "no such path"})
        if to.headers.get("Authorization") != f"Bearer {KEY}":
            return send(to, 401, {"error": f"wrong key {to.headers.get('Authorization')}"})
        answer = self.answer(body)
        if answer is None:
            time.sleep(self.silence)
            return send(to, 500, {"error": "too late"})
        if isinstance(answer, tuple):
            return send(to, answer[0], {"error": "later"}, answer[1])
        if isinstance(answer, int):
            return send(to, answer, {"error": f"as requested, {KEY}, max_tokens is not known"})
        message = {"role": "assistant", "content": answer} if answer else {"content": None, "refusal": "No."}
        usage = {"prompt_tokens": 100, "completion_tokens": 10}
        return send(to, 200, {"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage})


def send(to: BaseHTTPRequestHandler, status: int, document: Any, headers: dict[str, str] | None = None) -> None:
    """Send a JSON answer; a client that has closed the connection misses it."""
    data = json.dumps(document).encode()
    try:
        to.send_response(status)
        for name, value in (headers or {}).items():
            to.send_header(name, value)
        to.send_header("Content-Length", str(len(data)))
        to.end_headers()
        to.wfile.write(data)
    except (BrokenPipeError, ConnectionResetError):
        return


@contextmanager
def serving(answer: Callable[[dict[str, Any]], Answer], silence: float = 1.0) -> Iterator[FakeJudge]:
    """A fake judge that runs as long as the block."""
    judge = FakeJudge(answer, silence)
    try:
        yield judge
    finally:
        judge.server.shutdown()
        judge.server.server_close()
