"""Helpers for components that write HTML: escaping, probabilities, and Gradio blocks with a script of ours."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import gradio as gr

from studio.components.shared.page_requests import Answer, Request, request_handlers
from studio.services import browser_scripts
from studio.view_models.formatting import NO_BREAK_SPACE, format_percent
from swirl.paths import assets

__all__ = ["escape", "format_probability", "html_block", "load_template", "scripted_block"]

MOUNT = """const early = [];
const note = (event) => {
  if (event.type === "submit") event.preventDefault();
  else early.push(event.target.closest("button"));
};
for (const type of ["click", "submit"]) element.addEventListener(type, note);
import(new URL(%(address)s, document.baseURI).href).then(({ mount }) => {
  for (const type of ["click", "submit"]) element.removeEventListener(type, note);
  mount({ element, server, upload, ...%(given)s });
  for (const button of early) if (button?.isConnected) button.click();
}).catch((error) => {
  console.error(error);
  const words = "This part of the page did not load; reload the page.";
  element.prepend(Object.assign(document.createElement("p"), { className: "error", role: "alert", innerText: words }));
});"""
"""The script that Gradio runs for a block. It loads our module; buttons pressed before that are pressed again after."""


def html_block(template: str, *, classes: str = "", styles: Sequence[str] = (), **options: Any) -> gr.HTML:
    """A `gr.HTML` without Gradio's prose styles and padding, with the style sheets `assets/styles/STYLE.css`.

    Other `options` are passed to it.
    """
    options.setdefault("js_on_load", None)
    if styles:
        options["head"] = f"<style>{''.join(_asset(f'styles/{name}.css') for name in styles)}</style>"
    return gr.HTML(
        value="", html_template=template, apply_default_css=False, elem_classes=classes.split() or None, **options
    )


def scripted_block(
    html: str,
    script: str,
    functions: Sequence[Callable[[Request], Answer]] = (),
    *,
    classes: str = "",
    styles: Sequence[str] = (),
    given: dict[str, Any] | None = None,
) -> gr.HTML:
    """A block with the module `assets/scripts/SCRIPT.js`, whose `mount` gets the element and the values in `given`.

    The module may call `functions` on the server.
    """
    values = {"address": json.dumps(browser_scripts.address(f"{script}.js")), "given": json.dumps(given or {})}
    handlers = request_handlers(*functions)
    return html_block(html, classes=classes, styles=styles, js_on_load=MOUNT % values, server_functions=handlers)


def load_template(name: str) -> str:
    """The HTML in `assets/templates/NAME.html`."""
    return _asset(f"templates/{name}.html")


def _asset(path: str) -> str:
    return (assets() / path).read_text(encoding="utf-8")


def format_probability(log_prob: float) -> str:
    """A log-probability in nats as a percentage, `86 %`; bounds at the ends (`< 1 %`), as a model is never certain."""
    share = math.exp(min(0.0, log_prob))
    if share < 0.01:
        return f"<{NO_BREAK_SPACE}1{NO_BREAK_SPACE}%"
    return f">{NO_BREAK_SPACE}99{NO_BREAK_SPACE}%" if share > 0.99 else format_percent(share)
