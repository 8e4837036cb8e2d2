"""What an import would store, before it does: what was recognised, how much it is, its first states."""

from __future__ import annotations

from pathlib import Path

from studio.components.shared.html import escape
from studio.components.shared.picture_frame import image_tag
from studio.services.uploads import collection_name
from studio.view_models.formatting import pluralize
from swirl.sources.collections.previewing import ImportPreview
from swirl.sources.registry import FORMATS

SHOWN_CHARACTERS = 280
SAMPLE_SIZE = 84  # pixels
MAX_LISTED_NOTES = 4


def import_preview(preview: ImportPreview, camera: str | None, name: str = "") -> str:
    """The preview as HTML: a verdict, thumbnails, the camera to take, what is left out, a name, and two buttons."""
    title = preview.title[:1].upper() + preview.title[1:]
    return (
        f'<p class="verdict good"><b>{escape(title)}</b><small>{escape(preview.summary)}</small></p>'
        f"{_samples(preview)}{_cameras(preview, camera)}{_actions(preview)}{_notes(preview)}"
        '<form class="preview-form" data-bring><label>Name <input class="field" name="name" '
        f'value="{escape(name or collection_name([_place(preview.path)]))}" maxlength="60"></label>'
        '<div class="row"><button class="button button-primary">Import</button>'
        '<button type="button" class="button" data-forget>Cancel</button></div></form>'
    )


def local_path_form() -> str:
    """The field for the path of a file or folder on this machine."""
    return (
        '<form class="local row" data-local><input class="field" name="place" autocomplete="off" spellcheck="false" '
        'placeholder="or a path on this machine" aria-label="Path of a file or folder on this machine">'
        '<button class="button">Look</button></form>'
    )


def format_options() -> str:
    """The formats as options of a select field, after one for what is found by looking into the file."""
    options = "".join(f'<option value="{escape(item.name)}">{escape(item.title)}</option>' for item in FORMATS.values())
    return f'<option value="">what it looks like</option>{options}'


def _place(path: Path) -> str:
    return f"{path.name}/" if path.is_dir() else path.name


def _samples(preview: ImportPreview) -> str:
    if preview.kind == "image":
        items = "".join(
            f"<li>{image_tag(state, f'State {n}', SAMPLE_SIZE)}</li>"
            for n, state in enumerate(preview.samples, start=1)
        )
    else:
        items = "".join(f"<li><pre>{escape(state.text[:SHOWN_CHARACTERS])}</pre></li>" for state in preview.samples)
    return f'<ol class="samples {escape(preview.kind)}" aria-label="The first states">{items}</ol>'


def _cameras(preview: ImportPreview, camera: str | None) -> str:
    if len(preview.cameras) < 2:
        return ""
    chosen = camera or preview.cameras[0]
    options = "".join(
        f"<option{' selected' if name == chosen else ''}>{escape(name)}</option>" for name in preview.cameras
    )
    return f'<label class="camera">Camera <select class="field" name="camera" data-camera>{options}</select></label>'


def _actions(preview: ImportPreview) -> str:
    if not preview.has_actions:
        return ""
    return '<p class="note">It has true actions. They are kept apart: training never reads them, evaluation may.</p>'


def _notes(preview: ImportPreview) -> str:
    # That there are other cameras is seen in the choice of them.
    notes = [note for note in preview.notes if "--camera" not in note.why]
    if not notes:
        return ""
    lines = "".join(f"<li><b>{escape(note.where)}</b> {escape(note.why)}</li>" for note in notes[:MAX_LISTED_NOTES])
    more = len(notes) - MAX_LISTED_NOTES
    rest = f"<li>and {pluralize(more, 'more place')}</li>" if more > 0 else ""
    return f'<ul class="skips">{lines}{rest}</ul>'
