"""The small tools with which our components write HTML: escaping, chances, a bare block of Gradio."""

from __future__ import annotations

import math
from collections.abc import Callable
from html import escape
from typing import Any

import gradio as gr

from studio.components.shared.page_requests import Answer, Request, request_handlers
from studio.view_models.formatting import NO_BREAK_SPACE, format_percent
from swirl.paths import assets

__all__ = ["escape", "format_probability", "html_block", "scripted_block"]


def html_block(template: str, *, classes: str = "", **options: Any) -> gr.HTML:
    """A `gr.HTML` without Gradio's prose styles and padding; `options` pass through (js_on_load, server_functions)."""
    options.setdefault("js_on_load", None)
    return gr.HTML(
        value="", html_template=template, apply_default_css=False, elem_classes=classes.split() or None, **options
    )


def scripted_block(name: str, *functions: Callable[[Request], Answer]) -> gr.HTML:
    """A block from `assets/NAME.html`, run by `assets/NAME.js`, which may ask the server these functions."""
    template, script = ((assets() / f"{name}.{suffix}").read_text(encoding="utf-8") for suffix in ("html", "js"))
    return html_block(template, js_on_load=script, server_functions=request_handlers(*functions))


def format_probability(log_prob: float) -> str:
    """A log-probability in nats as a percentage, `86 %`; bounds at the ends (`< 1 %`), as a model is never certain."""
    share = math.exp(min(0.0, log_prob))
    if share < 0.01:
        return f"<{NO_BREAK_SPACE}1{NO_BREAK_SPACE}%"
    return f">{NO_BREAK_SPACE}99{NO_BREAK_SPACE}%" if share > 0.99 else format_percent(share)
