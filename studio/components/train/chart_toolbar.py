"""What stands above the charts of a run: smoothing, the range of steps that is shown, and the runs laid over it."""

from __future__ import annotations

SMOOTHING = {1: "off", 5: "5 steps", 10: "10 steps", 25: "25 steps", 100: "100 steps", 500: "500 steps"}
"""Steps of memory of the exponential mean, as the choice says them."""
DEFAULT_SMOOTHING = 10
RANGE_BUTTONS = {
    "in": ("+", "Zoom in", "Half of the steps; dragging across a chart shows just these"),
    "out": ("\N{MINUS SIGN}", "Zoom out", "Twice the steps"),
    "back": ("\N{LEFTWARDS ARROW}", "Earlier steps", "Half a width to the left"),
    "on": ("\N{RIGHTWARDS ARROW}", "Later steps", "Half a width to the right"),
    "whole": ("whole run", "Whole run", "All steps; so does a double click on a chart"),
}
"""What changes the range: its mark, its name, and what it does."""


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
        '<label class="row" title="Exponential mean with a memory of so many steps; the raw figures stay behind it">'
        f'Smoothing <select class="field short" data-smoothing>{choices}</select></label>'
        f'<div class="row zoom" role="group" aria-label="Steps shown">{buttons}'
        '<span class="muted small number" data-range aria-live="polite"></span></div>'
        '<div class="row spread laid-over"><div class="row spread" data-part="beside"></div>'
        '<label class="row" title="Its curves are drawn on the same axis of steps">Lay another run over it '
        '<input class="field short" data-lay list="other-runs" autocomplete="off" placeholder="run id"></label>'
        '<datalist id="other-runs" data-part="others"></datalist></div>'
        '<div data-part="beside-problem"></div></div>'
    )


TOOLBAR = _toolbar()
