"""Accessibility aids: a link that skips the header, and tooltips that also open without a mouse."""

from __future__ import annotations

from studio.components.shared.html import html_block
from swirl.paths import assets


def render() -> None:
    """Draw the skip link, which `assets/aids.js` puts before the header, and show titles without a mouse."""
    style, script = ((assets() / f"aids.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    html_block(
        '<a class="skip-link" href="#content" data-skip>Skip to the page</a>',
        classes="aids-block",
        head=f"<style>{style}</style>",
        js_on_load=script,
    )
