"""The logo as inline SVG: a swirl with one arm in the colour of each model."""

from __future__ import annotations

ARMS = (
    '<path d="M12 2.5a9.5 9.5 0 1 1-9.2 7.1" stroke="{outer}"/>'
    '<path d="M12 7.6a4.4 4.4 0 1 1-4.3 3.4" stroke="{inner}"/>'
)


def logo(size: int = 24) -> str:
    """The logo in the page's own colours; `size` in CSS pixels."""
    return (
        f'<svg class="logo" width="{size}" height="{size}" viewBox="0 0 24 24" fill="none" stroke-width="2.4" '
        f'stroke-linecap="round" aria-hidden="true">{ARMS.format(outer="var(--forward)", inner="var(--inverse)")}</svg>'
    )


def favicon() -> str:
    """The logo as a whole SVG file, in colours that read on light and dark tabs."""
    arms = ARMS.format(outer="#2563eb", inner="#d97706")
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke-width="2.6" '
        f'stroke-linecap="round">{arms}</svg>'
    )
