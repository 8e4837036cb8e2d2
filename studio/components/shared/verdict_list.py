"""Judgements in words: a claim with a mark, and its figures below it."""

from __future__ import annotations

from collections.abc import Iterable

from studio.components.shared.html import escape
from studio.view_models.training_verdicts import Verdict

SPOKEN = {"good": "good: ", "wrong": "attention: ", "inverse": "warning: ", "neutral": ""}


def verdict_list(verdicts: Iterable[Verdict]) -> str:
    """The verdicts as HTML; the mark's meaning is also said in words for those who do not see it."""
    return "".join(
        f'<p class="verdict {verdict.tone}"><b><span class="visually-hidden">{SPOKEN[verdict.tone]}</span>'
        f"{escape(verdict.claim)}</b><small>{escape(verdict.reason)}</small></p>"
        for verdict in verdicts
    )
