"""A horizontal bar that is filled to a share."""

from __future__ import annotations


def share_bar(share: float, tone: str = "") -> str:
    """A bar filled to `share` (0 to 1) in the colour of a tone such as "inverse" or "forward"."""
    return f'<span class="{" ".join(filter(None, ["bar", tone]))}"><i style="width:{100 * share:.1f}%"></i></span>'
