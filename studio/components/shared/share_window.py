"""The share window: turn a checkpoint into a Space, upload it to the Hub, or fetch one from there.

It is part of every page; any element with `data-share="CHECKPOINT"` opens it.
"""

from __future__ import annotations

from pathlib import Path

import gradio as gr

from studio.components.shared.html import escape, load_template, scripted_block
from studio.components.shared.page_requests import Answer, Request, get_text
from studio.services.checkpoint_answers import resolve_run_id
from studio.services.inference import shared_models
from studio.services.sharing import ShareRequest, Sharing


def render(home: Path, sharing: Sharing) -> gr.HTML:
    """Draw the closed window; `assets/scripts/share_window.js` opens it, `sharing` is the home's one."""

    def choices(request: Request) -> Answer:
        """The available checkpoints, the one to preselect, and whether this machine is logged in to the Hub."""
        from huggingface_hub import get_token

        asked = get_text(request, "share") or get_text(request, "checkpoint")
        return {
            **checkpoint_choices(home, asked),
            "token": "the login of this machine" if get_token() else "hf_…",
            **state(),
        }

    def share(request: Request) -> Answer:
        """Start the requested upload, export or download."""
        wanted = ShareRequest(
            get_text(request, "what"), get_text(request, "share"), get_text(request, "repository").strip(),
            request.get("private") is True,
        )  # fmt: skip
        sharing.start(wanted, get_text(request, "token"))
        return state()

    def progress(request: Request) -> Answer:
        """The progress of what was started."""
        return state()

    def state() -> Answer:
        now = sharing.progress()
        news = f'<p class="note" role="status">{escape(now.words)} …</p>' if now.is_running else now.result
        error = f'<p class="error" role="alert">{escape(now.error)}</p>' if now.error else ""
        kind = (
            next((item.kind for item in shared_models(home).available() if item.name == now.new_checkpoint), "")
            if now.new_checkpoint
            else ""
        )
        return {
            "running": now.is_running,
            "name": now.new_checkpoint,
            "kind": kind,
            "parts": {"share-result": news + error},
        }

    functions = (choices, share, progress)
    html = load_template("share_window")
    return scripted_block(html, "share_window", functions, classes="share-block", styles=("share_window",))


def checkpoint_choices(home: Path, asked: str) -> dict[str, str]:
    """The checkpoints that can be shared, as options, and the `first` to preselect: the one asked for, if any.

    One that is not on this machine is said to be `missing`, and none is preselected: another in its place might be
    uploaded by mistake.
    """
    models, asked = shared_models(home), resolve_run_id(home, asked)
    names = [item.name for item in models.available()]
    first = asked or models.choose() or ""
    missing = ""
    if models.find(asked) is not None:
        names = names if asked in names else [asked, *names]
    elif asked:
        first, missing = "", f"{asked} is not on this machine, so it cannot be shared; choose another checkpoint."
    options = "".join(f'<option value="{escape(name)}">{escape(name)}</option>' for name in names)
    return {"options": options, "first": first, "missing": missing}
