"""The list of collections on Explore: the shipped ones and your own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath

from studio.components.shared.html import escape
from studio.components.shared.picture_frame import image_tag
from studio.view_models.formatting import pluralize
from studio.view_models.frame_size import THUMBNAIL_SIZE
from swirl.sources.collections.catalog import Collection
from swirl.sources.formats.video import VIDEO_SUFFIXES
from swirl.states import State

SEARCH_THRESHOLD = 8  # collections; a longer list scrolls and has a search field
VIDEOS = VIDEO_SUFFIXES | {".gif", ".apng"}


def collection_list(collections: Sequence[Collection], covers: Mapping[str, State] | None = None) -> str:
    """The collections in the given order, each with its size and kind; `covers` are first frames by collection."""
    entries = "".join(_entry(item, (covers or {}).get(item.name)) for item in collections)
    search = (
        '<input class="field find" type="search" data-find placeholder="search '
        f'{pluralize(len(collections), "collection")}" aria-label="Find a collection">'
        '<p class="note" data-nothing-found hidden>No collection has a name like this.</p>'
    )
    return f'{search if len(collections) > SEARCH_THRESHOLD else ""}<ul class="shelf">{entries}</ul>'


def _entry(item: Collection, cover: State | None) -> str:
    about = item.description or item.title or item.name
    remove = (
        ""
        if item.builtin
        else f'<button type="button" class="button-link small" data-remove="{escape(item.name)}">remove</button>'
    )
    return (
        f'<li><button type="button" class="collection" data-collection="{escape(item.name)}" title="{escape(about)}">'
        f"{_icon(item, cover)}<span><b>{escape(item.title or item.name)}</b>"
        f"<small>{pluralize(item.sequences, 'sequence')} · {_content_kind(item)}</small></span></button>{remove}</li>"
    )


def _icon(item: Collection, cover: State | None) -> str:
    if cover is not None:
        return f'<span class="kind cover" aria-hidden="true">{image_tag(cover, "", THUMBNAIL_SIZE)}</span>'
    return f'<span class="kind" aria-hidden="true">{"txt" if item.kind == "text" else "img"}</span>'


def _content_kind(item: Collection) -> str:
    if item.kind == "text":
        return "text"
    return "video" if PurePath(item.source).suffix.lower() in VIDEOS else "images"
