"""A sparkline: how a score developed, as a line the size of a word."""

from __future__ import annotations

from collections.abc import Sequence

from studio.components.shared.html import escape
from studio.view_models.formatting import format_percent

WIDTH, HEIGHT, EDGE = 84, 26, 4


def sparkline(shares: Sequence[float], what: str) -> str:
    """The `shares` (from 0 to 1) of the score `what` as an SVG line with its best point marked; empty without shares.

    The axis runs from the lowest to the highest share but spans at least a tenth, so that noise looks small.
    """
    if not shares:
        return ""
    low, high = min(shares), max(shares)
    margin = max(0.0, 0.1 - (high - low)) / 2
    low, span = low - margin, high - low + 2 * margin
    step = (WIDTH - 2 * EDGE) / max(1, len(shares) - 1)
    points = [
        (EDGE + step * i, HEIGHT - EDGE - (HEIGHT - 2 * EDGE) * (share - low) / span) for i, share in enumerate(shares)
    ]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    x, y = points[max(range(len(shares)), key=lambda i: shares[i])]
    words = f"{what} after each phase: {', '.join(format_percent(share) for share in shares)}"
    return (
        f'<svg class="sparkline" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" '
        f'aria-label="{escape(words)}"><title>{escape(words)}</title><polyline points="{line}"/>'
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3"/></svg>'
    )
