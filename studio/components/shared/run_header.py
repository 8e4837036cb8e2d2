"""The header of the run view: name, status, phase bar, time left, and the actions that the run allows now."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from urllib.parse import quote

from studio.components.shared.html import escape
from studio.components.train.phase_bar import phase_bar
from studio.view_models import run_descriptions
from studio.view_models.advised_settings import describe_limits, format_assignments
from studio.view_models.timeline import PhaseBand
from swirl.history import Checkpoint, Run
from swirl.settings import Settings

HEADER_TEMPLATE = """<section class="panel run-head" aria-label="The run">
<div class="run-name" data-part="title"></div>
<div class="run-bar" data-part="bar"></div>
<div class="run-figures muted small" data-part="figures"></div>
<div class="run-actions row" data-part="actions"></div>
<div class="run-trouble" data-part="trouble" role="status"></div>
</section>"""
BUTTONS = {
    "sample": ("Sample now", "", "Draws fresh rollouts of held-out transitions after the current step"),
    "stop": ("Stop and save", "button-danger", "Stops after the current step and keeps a checkpoint to resume from"),
    "force": ("Force stop", "button-danger", "Ends the process immediately; steps since the last checkpoint are lost"),
    "cancel": ("Remove from the queue", "button-danger", "The run keeps its settings and can be resumed later"),
    "resume": ("Resume", "button-primary", "Continues from the last checkpoint"),
}
FIGURES_ONLY = (
    '<p class="note">Only the figures of this run are here, without weights to compare, to share or to start from.</p>'
)
ALLOWED = {
    "queued": ("cancel",),
    "running": ("sample", "stop"),
    "stopping": ("force",),
    "interrupted": ("resume",),
    "stopped": ("resume",),
    "failed": ("resume",),
    "finished": (),
}


def header_parts(
    run: Run,
    settings: Settings,
    line: Sequence[PhaseBand],
    *,
    sequences: int | None,
    step_seconds: float | None,
    now: datetime,
    experiment: str | None = None,
    loadable: Sequence[Checkpoint] = (),
    figures_only: bool = False,
) -> dict[str, str]:
    """The parts of HEADER_TEMPLATE as HTML.

    `line` is the run's timeline of phases, `sequences` the size of its collection, if known, and `experiment` the name
    of the experiment that it belongs to, if any. `loadable` are its checkpoints whose files are here, in order; with
    `figures_only` it has some, but none of them is here.
    """
    left, pace = run_descriptions.progress_lines(run, step_seconds, now)
    return {
        "title": _title(run, settings, sequences, experiment),
        "bar": phase_bar(line, run),
        "figures": f"<span>{escape(left)}</span><span>{escape(pace)}</span>",
        "actions": _actions(run, loadable, figures_only),
        "trouble": _trouble(run) + (FIGURES_ONLY if figures_only else ""),
    }


def status_chip(status: str) -> str:
    """The status as a chip with a mark and a word, in the colour of its tone."""
    mark, word, tone = run_descriptions.STATUS_LABELS[status]
    return f'<span class="chip {tone}">{mark} {escape(word)}</span>'


def experiment_chip(name: str | None) -> str:
    """A link to the experiment that a run belongs to; empty if it belongs to none."""
    if not name:
        return ""
    title = "The experiment that this run belongs to"
    return f'<a class="chip of-experiment" href="experiments?name={quote(name)}" title="{title}">▦ {escape(name)}</a>'


def _title(run: Run, settings: Settings, sequences: int | None, experiment: str | None) -> str:
    identity = f'<span class="muted small">{escape(run.id)}</span>' if run.name != run.id else ""
    return (
        f'<div class="row spread"><h2>{escape(run.name)}</h2>{identity}{status_chip(run.status)}'
        f"{experiment_chip(experiment)}</div>"
        f'<p class="muted small">{escape(run_descriptions.describe_run(run, settings, sequences))}<br>'
        f"{escape(run_descriptions.describe_method(settings))}</p>"
    )


def _actions(run: Run, loadable: Sequence[Checkpoint], figures_only: bool) -> str:
    again = f'<a class="button" href="train?new=1&amp;from={escape(run.id)}">New run like this</a>'
    if figures_only:
        return again
    buttons = "".join(
        f'<button type="button" class="button {tone}" data-do="{name}" title="{escape(title)}">{words}</button>'
        for name, (words, tone, title) in BUTTONS.items()
        if name in ALLOWED[run.status]
    )
    if run.status not in ("finished", "stopped") or not loadable:
        return buttons + again
    share = (
        f'<button type="button" class="button" data-share="{escape(run.id)}" '
        'title="As a Space, or on the Hugging Face Hub">Share</button>'
    )
    return buttons + _compare(loadable) + again + share


def _compare(loadable: Sequence[Checkpoint]) -> str:
    """A link that compares the first checkpoint with the best; where both are one, Compare finds another side."""
    first, best = loadable[0], run_descriptions.best_checkpoint(loadable)
    if best is None or best == first:
        address, title = f"compare?a={first.name}", "Compares its start on the same inputs"
    else:
        address = f"compare?a={first.name}&b={best.name}"
        title = "Compares its start and its best checkpoint on the same inputs"
    return f'<a class="button" href="{escape(address)}" title="{title}">Compare</a>'


def _trouble(run: Run) -> str:
    problem = run_descriptions.describe_problem(run)
    if problem is None:
        return ""
    tone, sentence = problem
    log = '<button type="button" class="button-link" data-do="log">Show the log</button>' if tone == "error" else ""
    changes = format_assignments(run.advised_changes, ",")
    address = f"train?new=1&from={quote(run.id)}&set={quote(changes, safe='=.,')}"
    label = escape(describe_limits(run.advised_changes) or f"Start another run with {changes}")
    retry = f'<p><a class="button" href="{escape(address)}">{label}</a></p>' if changes else ""
    return f'<p class="{"error" if tone == "error" else "notice"}">{escape(sentence)} {log}</p>{retry}'
