"""The collections, the shipped ones and your own."""

from __future__ import annotations

from collections.abc import Sequence

from studio.components.html import escape
from studio.view_models.numbers import counted
from swirl.sources.collection import Collection


def shelf(collections: Sequence[Collection]) -> str:
    """The list of collections, the shipped ones first, each with what it holds."""
    return f'<ul class="shelf">{"".join(_entry(item) for item in collections)}</ul>'


def _entry(item: Collection) -> str:
    about = item.description or item.title or item.name
    remove = (
        ""
        if item.builtin
        else f'<button type="button" class="button-link small" data-remove="{escape(item.name)}">remove</button>'
    )
    return (
        f'<li><button type="button" class="collection" data-collection="{escape(item.name)}" title="{escape(about)}">'
        f'<span class="kind" aria-hidden="true">txt</span><span><b>{escape(item.title or item.name)}</b>'
        f"<small>{counted(item.sequences, 'sequence')} · text</small></span></button>{remove}</li>"
    )
