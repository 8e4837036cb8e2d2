"""The pictures of empty pages: a few lines each, in the page's own colours."""

from __future__ import annotations

from studio.components.html import escape


def empty(picture: str, sentence: str, button: str) -> str:
    """An empty page: a picture (one of the functions below), one sentence and one button (HTML)."""
    return f'<div class="empty">{picture}<p>{escape(sentence)}</p>{button}</div>'


def states_without_actions() -> str:
    """Two states, and a question mark where the action would be."""
    return _svg(
        '<rect x="6" y="20" width="62" height="56" rx="8"/><rect x="132" y="20" width="62" height="56" rx="8"/>'
        '<path d="M18 36h38M18 48h28M18 60h34M144 36h38M144 60h34"/>'
        '<path d="M144 48h20" stroke="var(--inverse)" stroke-width="3"/>'
        '<path d="M76 48h14M110 48h14m-5-5 5 5-5 5"/>'
        '<text x="100" y="55" text-anchor="middle" fill="var(--inverse)" stroke="none" font-size="20">?</text>'
    )


def branching_path() -> str:
    """One state from which three futures branch."""
    return _svg(
        '<rect x="8" y="34" width="40" height="28" rx="6"/>'
        '<path d="M48 48h50M60 48c20 0 14-30 38-30M60 48c20 0 14 30 38 30" stroke="var(--line)" stroke-width="2.5"/>'
        '<rect x="98" y="6" width="40" height="24" rx="6"/><rect x="98" y="66" width="40" height="24" rx="6"/>'
        '<rect x="98" y="36" width="40" height="24" rx="6" stroke="var(--accent)" stroke-width="3"/>'
        '<path d="M138 48h26" stroke="var(--line)" stroke-width="2.5"/>'
        '<rect x="164" y="36" width="30" height="24" rx="6" stroke-dasharray="4 4"/>'
    )


def _svg(shapes: str) -> str:
    return (
        '<svg viewBox="0 0 200 96" width="220" fill="none" stroke="var(--truth)" stroke-width="2" '
        f'stroke-linecap="round" aria-hidden="true">{shapes}</svg>'
    )
