"""Which model answers for which kind of state: the one chosen in the header if it fits, else another that does."""

from __future__ import annotations

from pathlib import Path

from studio.components.shared.html import escape
from studio.components.shared.page_requests import Request, get_text
from studio.services.inference import no_model_message, shared_models

KIND_PLURALS = {"text": "texts", "image": "pictures"}


def requested_checkpoint(request: Request, kind: str) -> str:
    """The checkpoint chosen for a kind of state, else the one chosen last, else ''."""
    by_kind = request.get("checkpoints")
    own = by_kind.get(kind) if isinstance(by_kind, dict) else None
    return own if isinstance(own, str) and own else get_text(request, "checkpoint")


def fit_note(home: Path, request: Request, kind: str) -> str:
    """A note if the chosen model is gone or for another kind of state: which model answers instead, or what to do."""
    models, asked = shared_models(home), requested_checkpoint(request, kind)
    name = models.choose(asked, kind)
    if name is None:
        return f'<p class="notice">{escape(no_model_message(kind))}</p>' if models.available() else ""
    if asked in ("", name):
        return ""
    other = models.find(asked)
    if other is None:
        sentence = f"{asked} is not on this machine any more, so {name} answers here."
    else:
        sentence = f"{asked} is for {KIND_PLURALS[other.kind]}; these are {KIND_PLURALS[kind]}, so {name} answers here."
    return f'<p class="notice">{escape(sentence)}</p>'
