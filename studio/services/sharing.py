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
WHAT = ("folder", "space", "model", "fetch")


@dataclass(frozen=True)
class Wish:
    """What to do with which checkpoint: a Space's folder, a Space on the Hub, a model there, or one from there."""

    what: str
    checkpoint: str = ""
    repository: str = ""
    private: bool = False


@dataclass(frozen=True)
class Progress:
    """What goes on, in words, or how the last one ended: `result` as HTML, `name` a checkpoint that is new here."""

    running: bool
    words: str = ""
    result: str = ""
    error: str = ""
    name: str = ""


class Sharing:
    """What is shared from one home."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._lock = threading.Lock()
        self._progress = Progress(False)

    def progress(self) -> Progress:
        """The present one, or how the last one ended."""
        return self._progress

    def start(self, wish: Wish, token: str) -> None:
        """Begin. Raises UsageError for what is missing, SwirlError while another goes on."""
        if wish.what not in WHAT:
            raise UsageError("Choose what to make of the checkpoint.")
        if wish.what in ("space", "model"):
            from swirl.models.hub import demand_target

            demand_target(wish.repository, token)
        with self._lock:
            if self._progress.running:
                raise SwirlError("Something is being shared already; wait until it is done.")
            self._progress = Progress(True, "Starting")
        threading.Thread(target=self._run, args=(wish, token), daemon=True).start()

    def _run(self, wish: Wish, token: str) -> None:
        carry_out: dict[str, Callable[[Wish, str], Progress]] = {
            "folder": self._folder, "space": self._space, "model": self._model, "fetch": self._fetch
        }  # fmt: skip
        try:
            self._progress = carry_out[wish.what](wish, token)
        except SwirlError as problem:
            self._progress = Progress(False, error=str(problem))
        except Exception as problem:
            # Not log.exception: a traceback may show what a function was given.
            log.error("sharing %s failed: %s", wish.checkpoint, type(problem).__name__)
            self._progress = Progress(
                False, error=f"Sharing failed ({type(problem).__name__}); check the name and try again."
            )

    def _folder(self, wish: Wish, token: str) -> Progress:
        self._progress = Progress(True, "Writing the folder")
        folder = self._written(wish)
        return Progress(
            False,
            result=f"<p><b>The Space is in the folder</b> <code>{escape(str(folder))}</code></p>"
            f"<p class=note>To try it: <code>cd {escape(str(folder))} &amp;&amp; pip install -r requirements.txt "
            "&amp;&amp; python app.py</code></p>",
        )

    def _space(self, wish: Wish, token: str) -> Progress:
        from swirl.models.hub import upload

        self._progress = Progress(True, "Writing the folder")
        folder = self._written(wish)
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6
        self._progress = Progress(True, f"Uploading {size:.0f} MB to {wish.repository}")
        address = upload(folder, wish.repository, kind="space", token=token, private=wish.private)
        return Progress(
            False,
            result=f"<p><b>The Space is at</b> {link(address)}</p><p class=note>It builds for some minutes before it "
            "starts.</p>",
        )

    def _model(self, wish: Wish, token: str) -> Progress:
        from swirl.sharing.hub_upload import push

        self._progress = Progress(True, f"Uploading {wish.checkpoint} to {wish.repository}")
        address = push(self.home, wish.checkpoint, wish.repository, token=token, private=wish.private)
        return Progress(
            False,
            result=f"<p><b>The checkpoint is at</b> {link(address)}</p><p class=note>Anywhere else its name is "
            f"<code>hub:{escape(wish.repository)}</code></p>",
        )

    def _fetch(self, wish: Wish, token: str) -> Progress:
        from swirl.models.checkpoints import located

        name = wish.repository if wish.repository.startswith("hub:") else f"hub:{wish.repository}"
        self._progress = Progress(True, f"Fetching {name}")
        located(self.home, name)
        said = f"<p><b>{escape(name)} is here</b>, in the header's list of models.</p>"
        return Progress(False, result=said, name=name)

    def _written(self, wish: Wish) -> Path:
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
