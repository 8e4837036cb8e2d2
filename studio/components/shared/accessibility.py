"""Accessibility aids: a link that skips the header, and tooltips that also open without a mouse."""

from __future__ import annotations

from studio.components.shared.html import scripted_block


def render() -> None:
    """Draw the skip link, which `scripts/accessibility.js` puts before the header, and show titles without a mouse."""
    link = '<a class="skip-link" href="#content" data-skip>Skip to the page</a>'
    scripted_block(link, "accessibility", classes="accessibility-block", styles=("accessibility",))
