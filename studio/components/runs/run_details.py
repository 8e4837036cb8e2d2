"""The details that unfold below a run: its lineage, its size on disk, and what can be done with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from studio.components.shared.html import escape
from studio.view_models.formatting import format_bytes, format_count, format_time_ago, pluralize
from swirl.history import TRAINING_STATUSES, ImportOrigin, Resumption, Run
from swirl.models.checkpoints import short_name
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
    """The details of a run as HTML; `names` gives the name of each run in its `tree`, by id."""
    run_id = escape(run.id)
    parts = "".join(
        f"<li>{escape(what)} <b>{format_bytes(size)}</b></li>"
        for what, size in sorted(disk.parts.items(), key=lambda part: -part[1])
        if size
    )
    used = f'<ul class="plain">{parts}</ul>' if parts else '<p class="note">No files.</p>'
    delete = (
        '<button type="button" class="button" disabled title="Stop the run before you delete it">Delete</button>'
        if run.status in TRAINING_STATUSES
        else '<button type="button" class="button button-danger" data-delete>Delete</button>'
    )
    error = f'<p class="error">{escape(run.error)}</p>' if run.status == "failed" and run.error else ""
    return (
        f'<div class="run-details">{error}<section><h3>Origin</h3>'
        f"{lineage(run, tree, names, resumed, origin, now)}</section>"
        f"<section><h3>On disk, {pluralize(disk.files, 'file')}</h3>{used}</section>"
        f'<section class="run-doings"><a class="button" href="train?run={run_id}">Curves and rollouts</a>'
        f'<a class="button" href="train?new=1&amp;from={run_id}">New run like this</a>'
        '<button type="button" class="button" data-export title="Saves settings, metrics, rollouts, checkpoints '
        f'and log as one zip file, to keep or to import elsewhere">Export as a file</button>{delete}</section></div>'
    )


def lineage(
    run: Run,
    tree: LineageNode,
    names: Mapping[str, str],
    resumed: Sequence[Resumption],
    origin: ImportOrigin | None,
    now: datetime,
) -> str:
    """The tree of the runs that a run descends from or led to, and notes on its start, import and resumptions."""
    notes = []
    if origin is not None:
        notes.append(f"Imported {format_time_ago(origin.created, now)} from {origin.file}, where it was {origin.id}.")
    model = str(run.settings.get("model") or "")
    if tree.run == run.id:
        notes.append(f"Started from {short_name(model)}.")
    notes += [
        f"Resumed {format_time_ago(one.created, now)}"
        + (f" at {one.phase} step {one.step or 0}." if one.phase else ".")
        for one in resumed
    ]
    branches = f'<ul class="lineage">{_branch(tree, run.id, names)}</ul>' if tree.children else ""
    return branches + "".join(f'<p class="note">{escape(sentence)}</p>' for sentence in notes)


def _branch(branch: LineageNode, current_id: str, names: Mapping[str, str]) -> str:
    name = escape(names.get(branch.run, branch.run))
    is_current = branch.run == current_id
    title = f"<b>{name}</b> this run" if is_current else f'<a href="train?run={escape(branch.run)}">{name}</a>'
    link = ""
    if branch.parent_link is not None:
        words = f"from {branch.parent_link.checkpoint}" if branch.parent_link.checkpoint else "with its settings"
        link = f' <span class="muted small">{escape(words)}</span>'
    children = "".join(_branch(child, current_id, names) for child in branch.children)
    current = ' aria-current="true"' if is_current else ""
    return f"<li{current}>{title}{link}{f'<ul>{children}</ul>' if children else ''}</li>"


def deletion_warning(previews: Sequence[DeletionPreview]) -> str:
    """What deleting runs removes; first of all, which other runs started from their checkpoints."""
    deleted = {preview.run.id for preview in previews}
    warnings = "".join(_dependents(preview, deleted) for preview in previews)
    items = "".join(f"<li>{_deletion_item(preview)}</li>" for preview in previews)
    size = sum(preview.disk.size for preview in previews)
    total = f" This frees {format_bytes(size)}." if size else ""
    return f'{warnings}<ul class="plain">{items}</ul><p>{total.strip()} This cannot be undone.</p>'


def _deletion_item(preview: DeletionPreview) -> str:
    run = preview.run
    name = f"<b>{escape(run.name)}</b>" + (f" ({escape(run.id)})" if run.name != run.id else "")
    parts = [
        pluralize(preview.checkpoints, "checkpoint") if preview.checkpoints else "",
        pluralize(preview.metrics, "metric value") if preview.metrics else "",
        pluralize(preview.rollouts, "rollout") if preview.rollouts else "",
        f"{pluralize(preview.disk.files, 'file')}, {format_bytes(preview.disk.size)}" if preview.disk.files else "",
    ]
    return f"{name}: {', '.join(part for part in parts if part) or 'its settings'}"


def _dependents(preview: DeletionPreview, deleted: set[str]) -> str:
    others = [run for run in preview.dependents if run.id not in deleted]
    if not others:
        return ""
    names = ", ".join(f"<b>{escape(run.name)}</b>" for run in others)
    count = "run" if len(others) == 1 else f"{format_count(len(others))} runs"
    warning = f"The {count} {names} started from checkpoints of {escape(preview.run.name)} and will be kept."
    stranded = [run for run in preview.unresumable if run.id not in deleted]
    if stranded:
        subject = ", ".join(escape(run.name) for run in stranded)
        own = "it has no checkpoint of its own" if len(stranded) == 1 else "they have no checkpoints of their own"
        warning += f" Without these checkpoints {subject} can no longer be resumed, because {own}."
    return f'<p class="notice">{warning}</p>'
