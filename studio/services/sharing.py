"""Spaces made, and checkpoints exchanged with the Hub, from the browser: one at a time, in a thread of the studio.

A token is handed through to the one upload it was given for; it is kept nowhere.
"""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path

from swirl.errors import SwirlError, UsageError

log = logging.getLogger(__name__)
SHARE_ACTIONS = ("folder", "space", "model", "fetch")


@dataclass(frozen=True)
class ShareRequest:
    """What to do with which checkpoint: a Space's folder, a Space on the Hub, a model there, or one from there."""

    action: str
    checkpoint: str = ""
    repository: str = ""
    private: bool = False


@dataclass(frozen=True)
class SharingProgress:
    """What goes on, in words, or how the last one ended: `result` as HTML, `name` a checkpoint that is new here."""

    is_running: bool
    words: str = ""
    result: str = ""
    error: str = ""
    new_checkpoint: str = ""


class Sharing:
    """What is shared from one home."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._lock = threading.Lock()
        self._progress = SharingProgress(False)

    def progress(self) -> SharingProgress:
        """The present one, or how the last one ended."""
        return self._progress

    def start(self, wish: ShareRequest, token: str) -> None:
        """Begin. Raises UsageError for what is missing, SwirlError while another goes on."""
        if wish.action not in SHARE_ACTIONS:
            raise UsageError("Choose what to make of the checkpoint.")
        if wish.action in ("space", "model"):
            from swirl.models.hub import require_write_token

            require_write_token(wish.repository, token)
        with self._lock:
            if self._progress.is_running:
                raise SwirlError("Something is being shared already; wait until it is done.")
            self._progress = SharingProgress(True, "Starting")
        threading.Thread(target=self._run, args=(wish, token), daemon=True).start()

    def _run(self, wish: ShareRequest, token: str) -> None:
        carry_out: dict[str, Callable[[ShareRequest, str], SharingProgress]] = {
            "folder": self._folder, "space": self._space, "model": self._model, "fetch": self._fetch
        }  # fmt: skip
        try:
            self._progress = carry_out[wish.action](wish, token)
        except SwirlError as problem:
            self._progress = SharingProgress(False, error=str(problem))
        except Exception as problem:
            # Not log.exception: a traceback may show what a function was given.
            log.error("sharing %s failed: %s", wish.checkpoint, type(problem).__name__)
            self._progress = SharingProgress(
                False, error=f"Sharing failed ({type(problem).__name__}); check the name and try again."
            )

    def _folder(self, wish: ShareRequest, token: str) -> SharingProgress:
        self._progress = SharingProgress(True, "Writing the folder")
        folder = self._export_space(wish)
        return SharingProgress(
            False,
            result=f"<p><b>The Space is in the folder</b> <code>{escape(str(folder))}</code></p>"
            f"<p class=note>To try it: <code>cd {escape(str(folder))} &amp;&amp; pip install -r requirements.txt "
            "&amp;&amp; python app.py</code></p>",
        )

    def _space(self, wish: ShareRequest, token: str) -> SharingProgress:
        from swirl.models.hub import upload

        self._progress = SharingProgress(True, "Writing the folder")
        folder = self._export_space(wish)
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6
        self._progress = SharingProgress(True, f"Uploading {size:.0f} MB to {wish.repository}")
        address = upload(folder, wish.repository, kind="space", token=token, private=wish.private)
        return SharingProgress(
            False,
            result=f"<p><b>The Space is at</b> {link(address)}</p><p class=note>It builds for some minutes before it "
            "starts.</p>",
        )

    def _model(self, wish: ShareRequest, token: str) -> SharingProgress:
        from swirl.sharing.hub_upload import push_to_hub

        self._progress = SharingProgress(True, f"Uploading {wish.checkpoint} to {wish.repository}")
        address = push_to_hub(self.home, wish.checkpoint, wish.repository, token=token, private=wish.private)
        return SharingProgress(
            False,
            result=f"<p><b>The checkpoint is at</b> {link(address)}</p><p class=note>Anywhere else its name is "
            f"<code>hub:{escape(wish.repository)}</code></p>",
        )

    def _fetch(self, wish: ShareRequest, token: str) -> SharingProgress:
        from swirl.models.checkpoints import locate_checkpoint

        name = wish.repository if wish.repository.startswith("hub:") else f"hub:{wish.repository}"
        self._progress = SharingProgress(True, f"Fetching {name}")
        locate_checkpoint(self.home, name)
        said = f"<p><b>{escape(name)} is here</b>, in the header's list of models.</p>"
        return SharingProgress(False, result=said, new_checkpoint=name)

    def _export_space(self, wish: ShareRequest) -> Path:
        """A Space's folder of its own in the home; none that is there is ever touched."""
        from swirl.sharing.space import export_space

        stem = self.home / "spaces" / wish.checkpoint.replace("/", "-").replace(":", "-").strip(".")
        folders = itertools.chain([stem], (stem.with_name(f"{stem.name}-{n}") for n in itertools.count(2)))
        folder = next(folder for folder in folders if not folder.exists())
        export_space(self.home, wish.checkpoint, folder)
        return folder


def link(address: str) -> str:
    """An address as a link that opens beside the studio."""
    return f'<a href="{escape(address)}" target="_blank" rel="noopener">{escape(address)}</a>'
