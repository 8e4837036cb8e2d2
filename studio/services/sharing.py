"""Sharing from the browser: creates Spaces and exchanges checkpoints with the Hub, one at a time, in the background.

A token is passed on to the one upload it was entered for, and is stored nowhere.
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
    """What to do with which checkpoint.

    `action` is "folder" (write a Space to a folder), "space" (upload a Space), "model" (upload the checkpoint) or
    "fetch" (download the checkpoint in `repository`).
    """

    action: str
    checkpoint: str = ""
    repository: str = ""
    private: bool = False


@dataclass(frozen=True)
class SharingProgress:
    """The current step in words, or how the last request ended.

    `result` is HTML; `new_checkpoint` names a checkpoint that was downloaded.
    """

    is_running: bool
    words: str = ""
    result: str = ""
    error: str = ""
    new_checkpoint: str = ""


class Sharing:
    """Carries out the sharing requests of one home."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._lock = threading.Lock()
        self._progress = SharingProgress(False)

    def progress(self) -> SharingProgress:
        """The progress of the current request, or how the last one ended."""
        return self._progress

    def start(self, request: ShareRequest, token: str) -> None:
        """Start a request. Raises UsageError if something is missing, SwirlError while another is running."""
        if request.action not in SHARE_ACTIONS:
            raise UsageError("Choose what to do with the checkpoint.")
        if request.action != "fetch" and not request.checkpoint:
            raise UsageError("Choose the checkpoint to share.")
        if request.action in ("space", "model"):
            from swirl.models.hub import require_write_token

            require_write_token(request.repository, token)
        with self._lock:
            if self._progress.is_running:
                raise SwirlError("Something is already being shared; wait until it is done.")
            self._progress = SharingProgress(True, "Starting")
        threading.Thread(target=self._run, args=(request, token), daemon=True).start()

    def _run(self, request: ShareRequest, token: str) -> None:
        handlers: dict[str, Callable[[ShareRequest, str], SharingProgress]] = {
            "folder": self._folder, "space": self._space, "model": self._model, "fetch": self._fetch
        }  # fmt: skip
        try:
            self._progress = handlers[request.action](request, token)
        except SwirlError as problem:
            self._progress = SharingProgress(False, error=str(problem))
        except Exception as problem:
            # Not log.exception: a traceback may show a function's arguments, such as the token.
            log.error("sharing %s failed: %s", request.checkpoint, type(problem).__name__)
            self._progress = SharingProgress(
                False, error=f"Sharing failed ({type(problem).__name__}); check the name and try again."
            )

    def _folder(self, request: ShareRequest, token: str) -> SharingProgress:
        self._progress = SharingProgress(True, "Writing the folder")
        folder = self._export_space(request)
        return SharingProgress(
            False,
            result=f"<p><b>The Space is in the folder</b> <code>{escape(str(folder))}</code></p>"
            f"<p class=note>To try it: <code>cd {escape(str(folder))} &amp;&amp; pip install -r requirements.txt "
            "&amp;&amp; python app.py</code></p>",
        )

    def _space(self, request: ShareRequest, token: str) -> SharingProgress:
        from swirl.models.hub import upload

        self._progress = SharingProgress(True, "Writing the folder")
        folder = self._export_space(request)
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6
        self._progress = SharingProgress(True, f"Uploading {size:.0f} MB to {request.repository}")
        address = upload(folder, request.repository, kind="space", token=token, private=request.private)
        return SharingProgress(
            False,
            result=f"<p><b>The Space is at</b> {link(address)}</p><p class=note>It takes a few minutes to build before "
            "it starts.</p>",
        )

    def _model(self, request: ShareRequest, token: str) -> SharingProgress:
        from swirl.sharing.hub_upload import push_to_hub

        self._progress = SharingProgress(True, f"Uploading {request.checkpoint} to {request.repository}")
        address = push_to_hub(self.home, request.checkpoint, request.repository, token=token, private=request.private)
        return SharingProgress(
            False,
            result=f"<p><b>The checkpoint is at</b> {link(address)}</p><p class=note>On other machines its name is "
            f"<code>hub:{escape(request.repository)}</code></p>",
        )

    def _fetch(self, request: ShareRequest, token: str) -> SharingProgress:
        from swirl.models.checkpoints import locate_checkpoint

        name = request.repository if request.repository.startswith("hub:") else f"hub:{request.repository}"
        self._progress = SharingProgress(True, f"Downloading {name}")
        locate_checkpoint(self.home, name)
        result = f"<p><b>{escape(name)} is downloaded</b> and in the header's list of models.</p>"
        return SharingProgress(False, result=result, new_checkpoint=name)

    def _export_space(self, request: ShareRequest) -> Path:
        """Write a Space to a new folder in the home, never to an existing one."""
        from swirl.sharing.space import export_space

        stem = self.home / "spaces" / request.checkpoint.replace("/", "-").replace(":", "-").strip(".")
        folders = itertools.chain([stem], (stem.with_name(f"{stem.name}-{n}") for n in itertools.count(2)))
        folder = next(folder for folder in folders if not folder.exists())
        export_space(self.home, request.checkpoint, folder)
        return folder


def link(address: str) -> str:
    """An HTML link that opens in a new tab."""
    return f'<a href="{escape(address)}" target="_blank" rel="noopener">{escape(address)}</a>'
