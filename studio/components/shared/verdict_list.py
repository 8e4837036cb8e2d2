"""Verdicts as HTML: each a claim in the colour of its tone, with the reason below."""

from __future__ import annotations

from collections.abc import Iterable

from studio.components.shared.html import escape
from studio.view_models.training_verdicts import Verdict

SPOKEN_TONES = {"good": "good: ", "wrong": "attention: ", "inverse": "warning: ", "neutral": ""}


def verdict_list(verdicts: Iterable[Verdict]) -> str:
    """The verdicts as HTML; the meaning of the colour is also there in words for screen readers."""
    return "".join(
        f'<p class="verdict {verdict.tone}"><b><span class="visually-hidden">{SPOKEN_TONES[verdict.tone]}</span>'
        f"{escape(verdict.claim)}</b><small>{escape(verdict.reason)}</small></p>"
        for verdict in verdicts
    )
