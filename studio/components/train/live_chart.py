"""Live charts: one panel per chart, drawn by plotly.js from points that arrive a few at a time.

`assets/scripts/charts/live_chart.js` keeps the zoom and the hidden traces while points arrive, draws at most 1000
points per trace, and follows the light or dark theme. `curve_bins.js` beside it stores the points, in bins where there
are many, and smooths them within a phase; `chart_layout.js` shades and names the phases and labels the lines. The
charts know no server: the calling script passes points in and fetches a range in detail on request. plotly.js comes
from its Python package, so that no page loads it from another host.
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
    """One chart: `metric` over steps; if `metric` is empty, the held-out accuracy at the end of each phase."""

    key: str
    title: str
    subtitle: str
    metric: str
    help: str
    from_zero: bool = False
    supervised: bool = False
    """Whether it belongs to the supervised phases (warm-up, SFT) rather than to those with rollouts."""
    optional: bool = False
    """Whether it is hidden while the run has no point of its metric, which not every run measures."""
    sparse: bool = False
    """Whether it has few values, which are marked and not smoothed."""


def plotly_file() -> Path:
    """The plotly.js that its Python package ships, found without importing the package.

    Raises SwirlError when it is missing.
    """
    spec = importlib.util.find_spec("plotly")
    for folder in (spec.submodule_search_locations or []) if spec else []:
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
    """What the charts' module is given: `charts`, and `plotly`, the address of plotly.js."""
    file = plotly_file()
    gr.set_static_paths([file])
    return {"charts": [asdict(chart) for chart in charts], "plotly": f"gradio_api/file={file.as_posix()}"}
