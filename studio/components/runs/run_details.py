"""What unfolds below a run: where it came from, what its files take, what can be done with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from studio.components.shared.html import escape
from studio.view_models.formatting import format_bytes, format_count, format_time_ago, pluralize
from swirl.history import TRAINING_STATUSES, ImportOrigin, Resumption, Run
from swirl.runs.archive.deletion import DeletionPreview
from swirl.runs.archive.disk_usage import DiskUsage
from swirl.runs.archive.lineage import LineageNode


def run_details(
    run: Run,
    tree: LineageNode,
    names: Mapping[str, str],
    resumed: Sequence[Resumption],
    origin: ImportOrigin | None,
    disk: DiskUsage,
    now: datetime,
) -> str:
    """The unfolded part of a run; `names` are those of the runs in its `tree`."""
    run_id = escape(run.id)
    parts = "".join(
        f"<li>{escape(what)} <b>{format_bytes(size)}</b></li>"
        for what, size in sorted(disk.parts.items(), key=lambda part: -part[1])
        if size
    )
    used = f'<ul class="plain">{parts}</ul>' if parts else '<p class="note">No files.</p>'
    delete = (
        '<button type="button" class="button" disabled title="Stop it before deleting it">Delete</button>'
        if run.status in TRAINING_STATUSES
        else '<button type="button" class="button button-danger" data-delete>Delete</button>'
    )
    error = f'<p class="error">{escape(run.error)}</p>' if run.status == "failed" and run.error else ""
    return (
        f'<div class="run-details">{error}<section><h3>Where it came from</h3>'
        f"{lineage(run, tree, names, resumed, origin, now)}</section>"
        f"<section><h3>On disk, {pluralize(disk.files, 'file')}</h3>{used}</section>"
        f'<section class="run-doings"><a class="button" href="train?run={run_id}">Curves and rollouts</a>'
        f'<a class="button" href="train?new=1&amp;from={run_id}">New run like this</a>'
        '<button type="button" class="button" data-export title="Settings, figures, rollouts, checkpoints and log in '
        f'one zip file, to keep or to import elsewhere">Export as a file</button>{delete}</section></div>'
    )


def lineage(
    run: Run,
    tree: LineageNode,
    names: Mapping[str, str],
    resumed: Sequence[Resumption],
    origin: ImportOrigin | None,
    now: datetime,
) -> str:
    """The tree of a run's relatives, and what befell it."""
    said = []
    if origin is not None:
        said.append(f"Imported {format_time_ago(origin.created, now)} from {origin.file}, where it was {origin.id}.")
    model = str(run.settings.get("model") or "")
    if tree.run == run.id:
        said.append(f"Started from {model}.")
    said += [
        f"Resumed {format_time_ago(one.created, now)}"
        + (f" at {one.phase} step {one.step or 0}." if one.phase else ".")
        for one in resumed
    ]
    alone = not tree.children
    drawn = "" if alone else f'<ul class="lineage">{_branch(tree, run.id, names)}</ul>'
    return drawn + "".join(f'<p class="note">{escape(sentence)}</p>' for sentence in said)


def _branch(branch: LineageNode, here: str, names: Mapping[str, str]) -> str:
    name = escape(names.get(branch.run, branch.run))
    own = branch.run == here
    shown = f"<b>{name}</b> this run" if own else f'<a href="train?run={escape(branch.run)}">{name}</a>'
    how = ""
    if branch.parent_link is not None:
        words = f"from {branch.parent_link.checkpoint}" if branch.parent_link.checkpoint else "with its settings"
        how = f' <span class="muted small">{escape(words)}</span>'
    below = "".join(_branch(child, here, names) for child in branch.children)
    current = ' aria-current="true"' if own else ""
    return f"<li{current}>{shown}{how}{f'<ul>{below}</ul>' if below else ''}</li>"


def deletion_warning(leaving: Sequence[DeletionPreview]) -> str:
    """What goes when runs are deleted, and first of all which other runs began with them."""
    going = {one.run.id for one in leaving}
    warnings = "".join(_dependents(one, going) for one in leaving)
    items = "".join(f"<li>{_deletion_item(one)}</li>" for one in leaving)
    size = sum(one.disk.size for one in leaving)
    total = f" That frees {format_bytes(size)}." if size else ""
    return f'{warnings}<ul class="plain">{items}</ul><p>{total.strip()} This cannot be undone.</p>'


def _deletion_item(leaving: DeletionPreview) -> str:
    run = leaving.run
    name = f"<b>{escape(run.name)}</b>" + (f" ({escape(run.id)})" if run.name != run.id else "")
    parts = [
        pluralize(leaving.checkpoints, "checkpoint") if leaving.checkpoints else "",
        pluralize(leaving.metrics, "figure of its curves", "figures of its curves") if leaving.metrics else "",
        pluralize(leaving.rollouts, "rollout") if leaving.rollouts else "",
        f"{pluralize(leaving.disk.files, 'file')}, {format_bytes(leaving.disk.size)}" if leaving.disk.files else "",
    ]
    return f"{name}: {', '.join(part for part in parts if part) or 'its settings'}"


def _dependents(leaving: DeletionPreview, going: set[str]) -> str:
    others = [run for run in leaving.dependents if run.id not in going]
    if not others:
        return ""
    names = ", ".join(f"<b>{escape(run.name)}</b>" for run in others)
    began = "run" if len(others) == 1 else f"{format_count(len(others))} runs"
    words = f"The {began} {names} started from checkpoints of {escape(leaving.run.name)} and will stay."
    stranded = ", ".join(escape(run.name) for run in leaving.unresumable if run.id not in going)
    if stranded:
        words += f" Without them {stranded} can no longer be resumed, having no checkpoint of its own."
    return f'<p class="notice">{words}</p>'
