"""Models outside the list of checkpoints: a folder or a model on the Hub, including diffusion editors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from studio.services.inference import Models
from swirl.errors import SwirlError
from swirl.models.checkpoint_files import PIPELINE_INDEX_FILE
from swirl.models.checkpoints import checkpoint_kind, resolve_checkpoint, short_name
from swirl.models.hub import HUB_ID, hub_file

PREVIEW_NOTE = "preview only, cannot be trained here"
"""Shown beside the name of a diffusion editor."""


@dataclass(frozen=True)
class Offer:
    """A model that can be chosen; a preview model only predicts next states and infers no actions."""

    name: str
    kind: str
    is_preview: bool

    @property
    def words(self) -> str:
        """The model's label in a menu."""
        return f"{short_name(self.name)} ({PREVIEW_NOTE})" if self.is_preview else short_name(self.name)


def inspect_model(home: Path, models: Models, name: str) -> Offer:
    """Inspect a model without loading it. Raises SwirlError if there is none of that name."""
    if models.only_offered and name not in [item.name for item in models.available()]:
        raise SwirlError("This studio only uses the checkpoints in its list; choose one of them.")
    source = resolve_checkpoint(home, name)
    if isinstance(source, Path):
        return Offer(name, checkpoint_kind(source), (source / PIPELINE_INDEX_FILE).is_file())
    return Offer(
        name,
        checkpoint_kind(source),
        bool(HUB_ID.fullmatch(source)) and hub_file(source, PIPELINE_INDEX_FILE) is not None,
    )
