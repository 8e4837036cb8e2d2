"""The small tools with which our components write HTML: escaping, plain numbers, a static block of Gradio."""

from __future__ import annotations

import math
from html import escape

import gradio as gr

__all__ = ["block", "escape", "nats", "percent", "plural"]

MINUS = "−"


def block(template: str, *, classes: str = "", **options) -> gr.HTML:
    """A `gr.HTML` without Gradio's prose styles and padding; `options` pass through (js_on_load, server_functions)."""
    options.setdefault("js_on_load", None)
    return gr.HTML(
        value="", html_template=template, apply_default_css=False, elem_classes=classes.split() or None, **options
    )


def nats(value: float) -> str:
    """A log-probability with a true minus sign and two digits: −1.92."""
    if math.isinf(value):
        return f"{MINUS}∞"
    text = f"{abs(value):.2f}"
    return f"{MINUS}{text}" if value < 0 and float(text) else text


def percent(probability: float) -> str:
    """A probability as whole percents; the ends are said as bounds, for nothing here is ever certain: 86 %."""
    share = 100 * probability
    if 0 < share < 1:
        return "< 1 %"
    if 99 < share < 100:
        return "> 99 %"
    return f"{share:.0f} %"


def plural(count: int, one: str, many: str | None = None) -> str:
    """`1 sequence`, `240 sequences`, with thin-spaced thousands."""
    return f"{count:,} {one if count == 1 else many or one + 's'}".replace(",", " ")
