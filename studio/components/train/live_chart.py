"""Live charts: one panel a chart, drawn by plotly.js from points that arrive a few at a time.

Of `assets/scripts/charts`, `live_chart.js` keeps zoom and hidden traces while points arrive, draws at most 1000 points
a trace and follows light and dark; `curve_bins.js` keeps the points, in bins where they are many, and smooths them
within a phase; `chart_layout.js` shades and names the phases and labels the lines. They know no server: who uses them
hands them points and fetches a stretch in detail when asked. plotly.js is served from the Python package, so no page
asks another host for it.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from studio.components.shared.html import escape
from swirl.errors import SwirlError


@dataclass(frozen=True)
class Chart:
    """One chart: `metric` over steps, or `scores` (held-out accuracy at the ends of phases) when it is empty."""

    key: str
    title: str
    subtitle: str
    metric: str
    help: str
    from_zero: bool = False
    supervised: bool = False
    """Whether it belongs to the supervised phases (warm-up, SFT); the other metrics to those with rollouts."""


def plotly_file() -> Path:
    """plotly.js as the Python package ships it, found without importing the package."""
    found = importlib.util.find_spec("plotly")
    for folder in (found.submodule_search_locations or []) if found else []:
        file = Path(folder) / "package_data" / "plotly.min.js"
        if file.is_file():
            return file
    raise SwirlError("plotly.js is missing; reinstall it with: pip install 'plotly>=7.1,<8'.")


def panel(chart: Chart) -> str:
    """The chart's empty panel as HTML."""
    return (
        f'<section class="panel chart-panel" data-panel="{chart.key}"><div class="row between">'
        f'<h2 title="{escape(chart.help)}">{escape(chart.title)}</h2>'
        '<button type="button" class="button-link small" data-reset hidden>whole run</button></div>'
        f'<p class="muted small" data-part="subtitle-{chart.key}">{escape(chart.subtitle)}</p>'
        f'<div class="chart" data-chart="{chart.key}" role="img" aria-label="{escape(chart.title)}"></div>'
        f'<div class="legend row spread" data-legend="{chart.key}"></div></section>'
    )


def given(charts: Sequence[Chart]) -> dict[str, Any]:
    """What the module that draws them is given: the `charts`, and `plotly`, the address of plotly.js."""
    file = plotly_file()
    gr.set_static_paths([file])
    return {"charts": [asdict(chart) for chart in charts], "plotly": f"gradio_api/file={file.as_posix()}"}
