"""What stands above the grid: the result in words, what is shown, how to read it, and the methods explained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from studio.components.experiments.grid_panel import method_mark
from studio.components.shared.html import escape
from studio.components.shared.verdict_list import SPOKEN_TONES
from studio.view_models.experiment_grid import Panel, PanelKey, row_names
from studio.view_models.experiment_metrics import ExperimentMetric
from studio.view_models.experiment_words import describe_experiment, describe_panel
from studio.view_models.training_verdicts import Verdict
from swirl.experiments.grid import Plan

CHECKPOINTS = {
    "": (
        "Best by selection",
        "The checkpoint of each run that is best on the selection part, without test cases",
    ),
    "1": ("Last", "The last checkpoint of each run, whether it is its best or not"),
}
"""Which checkpoint of a run counts: its value in the address, its label and its title."""

METHOD_CHOICES = {
    "begun": ("With runs", "The methods of which a run was started"),
    "all": ("All", "All methods of the experiment"),
}
"""Which rows a panel has: the value in the address, its label and its title."""

CAUTION = (
    "The best method is chosen after looking at all of them, so expect a little less of it on new data. Intervals over "
    "two or three seeds are too narrow rather than too wide."
)


def summary(panels: Sequence[Panel], metric: ExperimentMetric, last: bool) -> str:
    """The result in words; empty before the first figures."""
    found = [(panel.key, verdict) for panel in panels if (verdict := describe_panel(panel, metric)) is not None]
    if not found:
        return ""
    verdicts = "".join(verdict_of_panel(key, verdict) for key, verdict in found)
    whole = describe_experiment(panels)
    of = f"{metric.title}, {'last checkpoint' if last else 'best checkpoint by selection'}"
    lead = f'<p class="lead">{escape(whole)}</p>' if whole else ""
    return (
        f'<section class="panel" aria-labelledby="in-words"><div class="row spread"><h2 id="in-words">In words</h2>'
        f'<span class="muted small">{escape(of)}</span></div>{lead}'
        f'<div class="experiment-words">{verdicts}</div><p class="note">{CAUTION}</p></section>'
    )


def verdict_of_panel(key: PanelKey, verdict: Verdict) -> str:
    """A verdict with a link to the panel that it is about."""
    return (
        f'<p class="verdict {verdict.tone}"><b><span class="visually-hidden">{SPOKEN_TONES[verdict.tone]}</span>'
        f"{escape(verdict.claim)}</b><small>{escape(verdict.reason)} "
        f'<a href="#panel-{key.number}" data-jump="panel-{key.number}" '
        f'aria-label="Figures of {escape(key.title)}">Figures</a></small></p>'
    )


def choices(
    panels: Sequence[Panel], metrics: Sequence[ExperimentMetric], metric: ExperimentMetric, last: bool, methods: str
) -> str:
    """The switches of the metric, the checkpoint and, where some were not begun, the methods."""
    parts = [metric_choice(metrics, metric), switch("Checkpoint", "last", CHECKPOINTS, "1" if last else "")]
    if any(len(panel.begun_rows) < len(panel.rows) for panel in panels):
        parts.append(switch("Methods", "methods", METHOD_CHOICES, methods))
    return "".join(parts)


def metric_choice(metrics: Sequence[ExperimentMetric], metric: ExperimentMetric) -> str:
    """The switch of the metric."""
    options = "".join(
        f'<option value="{escape(one.name)}"{" selected" if one is metric else ""}>{escape(one.title)}</option>'
        for one in metrics
    )
    return f'<label class="row">Metric <select class="field short" name="metric">{options}</select></label>'


def switch(head: str, name: str, options: Mapping[str, tuple[str, str]], chosen: str) -> str:
    """Buttons of which one is pressed; each sets the value `name` of the address."""
    buttons = "".join(
        f'<button type="button" data-{name}="{value}" aria-pressed="{"true" if value == chosen else "false"}" '
        f'title="{escape(title)}">{label}</button>'
        for value, (label, title) in options.items()
    )
    return (
        f'<span class="row"><span class="small muted">{head}</span>'
        f'<span class="marks" role="group" aria-label="{head}">{buttons}</span></span>'
    )


def unread_note(unread: int, finished: int) -> str:
    """How far the figures have been read."""
    done = f": {finished - unread} of {finished} runs" if unread else ""
    return f'<p class="note">Reading the figures{done}</p>'


def legend(plan: Plan, metric: ExperimentMetric, *, unfolded: bool) -> str:
    """How to read the grid, and a sentence on each method, folded away unless `unfolded`."""
    methods = [plan.method(name) for name in row_names(plan)]
    mutual = next((method_mark(m) for m in methods if m.mutual), "")
    other = next((method_mark(m) for m in methods if not m.mutual), "")
    sentences = "".join(
        f"<dt>{method_mark(m)}{escape(m.title)}</dt><dd>{escape(plan.sentence_of(m.name))}</dd>" for m in methods
    )
    keys = [
        f"{mutual}learns from the other model's rewards" if mutual else "",
        f"{other}any other method" if other else "",
        '<i class="key start"></i>the warm-up, where all start',
        '<i class="key copying"></i>copying the state',
        '<b class="gain">▲</b> <b class="loss">▼</b> difference off zero',
        _seed("waiting", "") + "waiting",
        _seed("running", '<b style="height:50%"></b>') + "training",
        _seed("finished", "✓") + "finished",
        _seed("failed", "✕") + "failed",
    ]
    items = "".join(f"<li>{key}</li>" for key in keys if key)
    unfold = " open" if unfolded else ""
    return (
        f'<div class="legend-of {metric.tone}"><ul class="legend">{items}</ul>'
        f'<details class="fold-methods"{unfold}><summary>What the methods do</summary><dl>{sentences}</dl>'
        "</details></div>"
    )


def _seed(status: str, content: str) -> str:
    return f'<span class="seed {status}" aria-hidden="true"><i>{content}</i></span>'
