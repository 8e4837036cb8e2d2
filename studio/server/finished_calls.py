"""Forgets calls of the API that have been answered; Gradio 6.31 keeps a queue of messages and a set of ids for each.

Gradio drops them only if the connection breaks. A call has a session of its own unless the caller names one, so a
program that asks for a run's status would leave some 8 kB each time: of the last 2000 calls all of it, of earlier ones
the set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi.middleware import Middleware
from gradio.routes import API_PREFIX

if TYPE_CHECKING:
    import gradio as gr
    from starlette.types import ASGIApp, Receive, Scope, Send


class FinishedCalls:
    """Forgets the answered calls whenever a stream of answers has ended."""

    def __init__(self, app: ASGIApp, blocks: gr.Blocks) -> None:
        self.app, self.blocks = app, blocks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        try:
            await self.app(scope, receive, send)
        finally:
            if scope["type"] == "http" and scope["method"] == "GET" and is_answer_stream(scope["path"]):
                forget_answered(self.blocks)


def is_answer_stream(path: str) -> bool:
    """Whether the answers to calls come from this address."""
    return f"{API_PREFIX}/call/" in path or path.endswith(f"{API_PREFIX}/queue/data")


def forget_answered(blocks: gr.Blocks) -> None:
    """Drop the sessions without an open call, and those whose messages Gradio has dropped; a new call makes them anew.

    Answers that nobody has fetched stay: Gradio keeps those of the last 2000 sessions.
    """
    queue = blocks._queue
    for session, calls in list(queue.pending_event_ids_session.items()):
        if not calls:
            queue.pending_messages_per_session.pop(session, None)
        if session not in queue.pending_messages_per_session:
            del queue.pending_event_ids_session[session]


def middleware(blocks: gr.Blocks) -> list[Middleware]:
    """What forgets them, as a web app takes it."""
    return [Middleware(FinishedCalls, blocks=blocks)]
