"""The toolbar above a run's charts: smoothing, the range of steps shown, and overlaid runs."""

from __future__ import annotations

SMOOTHING = {1: "off", 5: "5 steps", 10: "10 steps", 25: "25 steps", 100: "100 steps", 500: "500 steps"}
"""The choices of smoothing: the memory of the exponential mean in steps, and its label."""
DEFAULT_SMOOTHING = 10
RANGE_BUTTONS = {
    "in": ("+", "Zoom in", "Show half as many steps; or drag across a chart to choose a range"),
    "out": ("\N{MINUS SIGN}", "Zoom out", "Show twice as many steps"),
    "back": ("\N{LEFTWARDS ARROW}", "Earlier steps", "Move left by half the width"),
    "on": ("\N{RIGHTWARDS ARROW}", "Later steps", "Move right by half the width"),
    "whole": ("whole run", "Whole run", "Show all steps; double-clicking a chart does the same"),
}
"""The buttons that change the range: symbol, name and tooltip."""


def _toolbar() -> str:
    choices = "".join(
        f'<option value="{steps}"{" selected" if steps == DEFAULT_SMOOTHING else ""}>{words}</option>'
        for steps, words in SMOOTHING.items()
    )
    buttons = "".join(
        f'<button type="button" class="button" data-step="{step}" aria-label="{name}" title="{title}">{mark}</button>'
        for step, (mark, name, title) in RANGE_BUTTONS.items()
    )
    return (
        '<div class="chart-tools row spread" role="group" aria-label="What the charts show">'
        '<label class="row" title="Exponential mean over about this many steps; the raw values stay visible behind it">'
        f'Smoothing <select class="field short" data-smoothing>{choices}</select></label>'
        f'<div class="row zoom" role="group" aria-label="Steps shown">{buttons}'
        '<span class="muted small number" data-range aria-live="polite"></span></div>'
        '<div class="row spread laid-over"><div class="row spread" data-part="beside"></div>'
        '<label class="row" title="Draws its curves on the same axis of steps">Overlay another run '
        '<input class="field short" data-lay list="other-runs" autocomplete="off" placeholder="run id"></label>'
        '<datalist id="other-runs" data-part="others"></datalist></div>'
        '<div data-part="beside-problem"></div></div>'
    )


TOOLBAR = _toolbar()
