"""The read-only demonstration mode, used on a Space and by `launch.py --demo`.

Its home holds one recorded run and is deleted at the end. The server refuses every function that is not listed in
ALLOWED_FUNCTIONS, so a newly added function is refused until it is listed.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
from fastapi.middleware import Middleware
from fastapi.responses import JSONResponse

from studio.components.shared.html import escape, html_block
from studio.components.shared.page_requests import Answer
from studio.services.history_store import history
from studio.services.inference import shared_models
from swirl.runs.archive.importing import import_run
from swirl.sharing.sample_run import unpack_sample_run

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

REFUSAL = (
    "This is a demonstration: nothing can be started, changed or uploaded here. Install SWIRL Studio to do so on your "
    "own machine."
)
ALLOWED_FUNCTIONS = frozenset(
    {
        "api.imagine", "api.infer", "api.load", "api.status",
        "analysis.ahead", "analysis.ask", "analysis.going", "analysis.map", "analysis.measured",
        "compare.ask", "compare.choices", "compare.look", "compare.progress", "compare.question", "compare.report",
        "compare.show",
        "experiments.look", "experiments.overview",
        "explore.check", "explore.collections", "explore.imagine", "explore.infer",
        "explore.show", "explore.truth", "import_requests.importing",
        "control_room.look", "guided_tour.standing", "header.status",
        "label.begin", "label.show", "label.suggest",
        "page_requests.growing",
        "play.begin", "play.draw", "play.imagine", "play.models", "play.prepare", "play.save", "play.suggest",
        "reach_goal.advance", "reach_goal.carry_out", "reach_goal.found", "reach_goal.goals", "reach_goal.replan",
        "reach_goal.save_plan", "reach_goal.seek",
        "run_view.detail", "run_view.news", "run_view.others",
        "runs.changes", "runs.details", "runs.difference", "runs.runs",
        "share_window.choices", "share_window.progress",
        "start_form.form",
    }
)  # fmt: skip
"""The functions, MODULE.FUNCTION, that only read or ask a listed model. Checking a start form is not among them,
because it looks up any model or file that a visitor names."""
ALLOWED_REQUEST_PATHS = re.compile(
    r"/(gradio_api/(component_server|queue/(join|data)|call/.+|run/.+|heartbeat/.+|cancel|reset)|login)/?"
)
"""The paths that accept requests other than GET; the functions they call are checked by name."""


def import_recorded_run(home: Path) -> None:
    """Import the recorded run into a new home."""
    with unpack_sample_run() as run_file:
        import_run(home, run_file)


def make_read_only(app: gr.Blocks, home: Path) -> None:
    """Refuse every function of the app that is not in ALLOWED_FUNCTIONS, and every model that is not listed."""
    shared_models(home).only_offered = True
    for component in app.blocks.values():
        for function in getattr(component, "server_fns", None) or []:
            if name_of(function) not in ALLOWED_FUNCTIONS:
                setattr(component, function.__name__, refusing_handler(function))
    for event in app.fns.values():
        if event.fn is not None and name_of(event.fn) not in ALLOWED_FUNCTIONS:
            event.fn = refusing_endpoint(event.fn)


def name_of(function: Callable[..., Any]) -> str:
    """A function's name as `MODULE.FUNCTION`; of a wrapper, the name of what it wraps."""
    return f"{function.__module__.rpartition('.')[2]}.{function.__name__}"


def refusing_handler(function: Callable[..., Any]) -> Callable[..., Answer]:
    """Replace a page's function by one that returns REFUSAL as the error that its script shows."""

    @functools.wraps(function)
    def refuse(request: Any = None) -> Answer:
        return {"error": REFUSAL}

    return refuse


def refusing_endpoint(function: Callable[..., Any]) -> Callable[..., Any]:
    """Replace an endpoint by one that raises REFUSAL as an error of Gradio's clients."""

    @functools.wraps(function)
    def refuse(*_: Any, **__: Any) -> Any:
        raise gr.Error(REFUSAL, print_exception=False)

    return refuse


STYLE = (
    ".demo-banner { margin: 0; padding: 9px 12px; border: 1px solid var(--line); border-radius: 8px; font-size: 14px; "
    "background: var(--panel); color: var(--ink); } .demo-banner a { color: var(--accent); margin-left: 6px; "
    "text-decoration: underline; text-underline-offset: 2px; }"
)


class ReadOnlyMiddleware:
    """Rejects uploads and every other request that could write; only reads and checked calls pass."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        path = scope.get("path", "").removeprefix(scope.get("root_path", ""))
        if (
            scope["type"] != "http"
            or scope["method"] in ("GET", "HEAD", "OPTIONS")
            or ALLOWED_REQUEST_PATHS.fullmatch(path)
        ):
            await self.app(scope, receive, send)
        else:
            await JSONResponse({"detail": REFUSAL}, status_code=403)(scope, receive, send)


def middleware() -> list[Middleware]:
    """The middleware to add to the web app."""
    return [Middleware(ReadOnlyMiddleware)]


def banner(home: Path) -> gr.HTML:
    """The notice at the top of every page: what a visitor can do, with a link to the recorded run."""
    run = next(iter(history(home).runs(limit=1)), None)
    link = f' <a href="train?run={escape(run.id)}">Look at a recorded run</a>' if run else ""
    return html_block(
        '<p class="demo-banner" role="note"><b>Demonstration.</b> Explore, play and compare; nothing can be started, '
        f"changed or uploaded here.{link}</p>",
        head=f"<style>{STYLE}</style>",
    )
