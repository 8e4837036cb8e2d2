"""Which model answers on which states: the one chosen in the header if it reads their kind, else one that does."""

from __future__ import annotations

from pathlib import Path

from studio.components.shared.html import escape
from studio.components.shared.page_requests import Request, text
from studio.services.inference import missing, shared

READS = {"text": "texts", "image": "pictures"}


def wanted(request: Request, kind: str) -> str:
    """The checkpoint that was chosen for states of a kind, else the one chosen last; '' when none was."""
    by_kind = request.get("checkpoints")
    own = by_kind.get(kind) if isinstance(by_kind, dict) else None
    return own if isinstance(own, str) and own else text(request, "checkpoint")


def fit_note(home: Path, request: Request, kind: str) -> str:
    """One line where the chosen model cannot answer: which other one does, or what to do when none can."""
    models, asked = shared(home), wanted(request, kind)
    name = models.choose(asked, kind)
    if name is None:
        return f'<p class="notice">{escape(missing(kind))}</p>' if models.available() else ""
    other = next((item for item in models.available() if item.name == asked), None)
    if other is None or other.kind == kind:
        return ""
    said = f"{asked} reads {READS[other.kind]}; these are {READS[kind]}, so {name} answers here."
    return f'<p class="notice">{escape(said)}</p>'
