"""The answers to Explore's requests about importing: look into what was brought, import it, stop, report progress."""

from __future__ import annotations

from pathlib import Path

from studio.components.explore.import_preview import import_preview
from studio.components.shared.page_requests import Answer, Request, get_text, get_texts
from studio.services.uploads import Brought, Imports, import_report_html
from swirl.sources.collections.import_draft import ImportStopped
from swirl.sources.formats.import_options import ImportOptions, parse_every

STOPPED = (
    '<p class="verdict"><b>Stopped</b><small>Nothing is imported yet. It goes on where it was, also if you bring it '
    "again later.</small></p>"
)


class ImportRequests:
    """Answers requests that carry what was brought, and a `ticket` by which the page names an import."""

    def __init__(self, home: Path) -> None:
        self.imports = Imports(home)

    def look_into(self, request: Request) -> Answer:
        """Look into what was brought before anything is stored; the request is that of `receive`."""
        brought = read_brought(request)
        preview = self.imports.preview(brought)
        return {"parts": {"import": import_preview(preview, brought.options.camera, brought.name)}}

    def receive(self, request: Request) -> Answer:
        """Import what was brought, `paths` of uploaded files or a `place` on this machine, and return a report.

        `names` are the files' paths on the user's machine. `ticket` is the browser's name for this import, by which
        `importing` reports its progress and `stop_import` stops it. The other values say how it is read.
        """
        try:
            done = self.imports.run(read_brought(request), get_text(request, "ticket"))
        except ImportStopped:
            return {"parts": {"import": STOPPED}, "stopped": True}
        return {"parts": {"import": import_report_html(done)}, "data": done.name}

    def stop_import(self, request: Request) -> Answer:
        """Stop an import, which goes on where it was when the same is imported again."""
        self.imports.stop(get_text(request, "ticket"))
        return {}

    def importing(self, request: Request) -> Answer:
        """The progress of an import in words; empty before it starts and after it ends."""
        return {"parts": {"progress": self.imports.progress(get_text(request, "ticket"))}}


def read_brought(request: Request) -> Brought:
    """What a request brings, and how it is to be read."""
    every = get_text(request, "every").strip()
    switches = {key: request.get(key) is True for key in ("keep_duplicates", "keep_cuts")}
    names = ("camera", "state_column", "episode_column", "order_column")
    values = {key: get_text(request, key).strip() or None for key in names}
    return Brought(
        paths=get_texts(request, "paths"),
        names=get_texts(request, "names"),
        local_path=get_text(request, "place").strip(),
        options=ImportOptions(**(parse_every(every) if every else {}), **switches, **values),
        source_format=get_text(request, "format") or None,
        name=get_text(request, "name").strip(),
    )
