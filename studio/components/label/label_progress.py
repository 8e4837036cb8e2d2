"""How far the labelling is, and what is known about how many labels are enough."""

from __future__ import annotations

from studio.components.shared.html import escape
from studio.view_models.label_progress import aim, findings, standing
from studio.view_models.numbers import count, counted
from swirl.sources.labels.hand_labelling import Labelled


def progress(so_far: Labelled, transitions: int, kind: str) -> str:
    """The bar towards the aim, and the figures behind it."""
    labels = len(so_far.labels)
    share = min(100.0, 100 * labels / aim(kind))
    gone = (
        f'<p class="note">{counted(so_far.gone, "label")} left aside, of transitions no longer in the collection</p>'
        if so_far.gone
        else ""
    )
    return (
        f'<div class="figure"><b>{count(labels)} <small>of about {aim(kind)} labelled</small></b></div>'
        f'<span class="bar accent"><i style="width:{share:.1f}%"></i></span>'
        f'<p class="note">from {counted(so_far.sequences, "sequence")}, {count(so_far.skipped)} skipped, of '
        f"{counted(transitions, 'transition')} in the training part</p>{gone}"
    )


def enough(labels: int, kind: str) -> str:
    """What so many labels are good for, and the findings behind it."""
    rows = "".join(
        f"<tr><th scope=row>{escape(row.labels)}</th><td>{escape(row.brought)}"
        f'<small class="muted">{escape(row.source)}</small></td></tr>'
        for row in findings(kind)
    )
    return (
        f"<p>{escape(standing(labels, kind))}</p><details><summary>How many are enough?</summary>"
        f'<table class="findings"><thead class="visually-hidden"><tr><th>labels</th><th>what came of them</th></tr>'
        f"</thead><tbody>{rows}</tbody></table></details>"
    )
