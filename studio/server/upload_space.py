"""Uploads leave room on their disk: on a full one no run could save and nothing could be recorded."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import Message, Receive

RESERVE_BYTES = 10**9  # that an upload leaves free
CHECKED_BYTES = 16 * 2**20  # taken between two looks at the disk


def free_bytes() -> int:
    """The bytes that uploads may take now; Gradio creates their folder with the first one."""
    from gradio.utils import get_upload_folder  # the server is set up before Gradio may be imported

    folder = Path(get_upload_folder()).absolute()
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    return max(0, shutil.disk_usage(existing).free - RESERVE_BYTES)


def shortage(announced: int) -> str | None:
    """The sentence with which an upload of so many bytes is refused; None if there is room for it."""
    free = free_bytes()
    if announced <= free:
        return None
    return (
        f"There is no room for this upload of {announced / 1e6:,.0f} MB: the disk has {free / 1e6:,.0f} MB to spare, "
        f"beside {RESERVE_BYTES / 1e9:.0f} GB that stay free for runs. Make room on it, or choose another --home."
    )


def limit_upload(receive: Receive) -> Receive:
    """`receive` that ends the connection when the disk runs short, for uploads that do not announce their size."""
    taken, allowed = 0, CHECKED_BYTES

    async def receiving() -> Message:
        nonlocal taken, allowed
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > allowed:
            if not free_bytes():
                return {"type": "http.disconnect"}
            allowed = taken + CHECKED_BYTES
        return message

    return receiving
