"""The progress of hand labelling, and guidance on how many labels are enough."""

from __future__ import annotations

from studio.components.shared.html import escape
from studio.components.shared.share_bar import share_bar
from studio.view_models.formatting import format_count, pluralize
from studio.view_models.label_progress import describe_label_progress, label_findings, target_label_count
from swirl.sources.labels.hand_labelling import LabellingProgress


def label_progress(so_far: LabellingProgress, transitions: int, kind: str) -> str:
    """The progress bar towards the target number of labels, and the counts behind it, as HTML."""
    labels = len(so_far.labels)
    share = min(1.0, labels / target_label_count(kind))
    stale = (
        f'<p class="note">{pluralize(so_far.stale_count, "label")} unused; their transitions are no longer in '
        "the collection</p>"
        if so_far.stale_count
        else ""
    )
    return (
        f'<div class="figure"><b>{format_count(labels)} <small>of about {target_label_count(kind)} '
        "labelled</small></b></div>"
        f"{share_bar(share, 'accent')}"
        f'<p class="note">from {pluralize(so_far.labelled_sequence_count, "sequence")}, '
        f"{format_count(so_far.skipped_count)} skipped, of "
        f"{pluralize(transitions, 'transition')} in the training part</p>{stale}"
    )


def label_guidance(labels: int, kind: str) -> str:
    """What this many labels are good for, and the measurements behind that, as HTML."""
    rows = "".join(
        f'<tr><th scope="row">{escape(row.labels)}</th><td>{escape(row.outcome)}'
        f'<small class="muted">{escape(row.source)}</small></td></tr>'
        for row in label_findings(kind)
    )
    return (
        f"<p>{escape(describe_label_progress(labels, kind))}</p><details><summary>How many are enough?</summary>"
        f'<table class="findings"><thead class="visually-hidden"><tr><th>labels</th><th>result</th></tr>'
        f"</thead><tbody>{rows}</tbody></table></details>"
    )
