"""A tiny random diffusion editor of a real class, compared with a world model on the Compare page."""

from __future__ import annotations

from pathlib import Path

import editing
import pytest

from studio.pages.compare import ComparePage
from studio.services.inference import shared_models
from studio.services.model_choices import PREVIEW_NOTE
from swirl import models
from swirl.errors import SwirlError
from swirl.models.families.diffusion_editors import DiffusionEditor
from swirl.paths import assets

pytestmark = pytest.mark.skipif(not (assets() / "tiny-blocks").is_dir(), reason="the model tiny-blocks is not shipped")


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The folder of a pipeline with few steps at a small size, so that two cores suffice."""
    folder = editing.build_pix2pix(tmp_path / "painter")
    load = models.load_world_model

    def small(*given: object, **options: object) -> object:
        loaded = load(*given, **options)
        if isinstance(loaded, DiffusionEditor):
            loaded.side, loaded.settings = 64, {**loaded.settings, "num_inference_steps": 1}
        return loaded

    monkeypatch.setattr(models, "load_world_model", small)
    return str(folder)


@pytest.mark.slow
def test_an_editor_is_offered_marked_and_compared(editor: str, tmp_path: Path) -> None:
    page = ComparePage(tmp_path / "home")
    offered = page.offer({"name": editor})
    assert offered["kind"] == "image" and PREVIEW_NOTE in offered["option"]
    sides = {"a": "tiny-blocks", "b": editor, "data": "blocks"}
    assert PREVIEW_NOTE in page.choices(sides)["checkpoints"]["image"]
    for side in ("b", "a"):  # the editor first: the collection has true actions, so it needs no inferred ones
        done, of = 0, 1
        while done < of:
            answer = page.ask({**sides, "side": side, "first": done, "size": 12})
            assert answer["done"] == (done + 1 if side == "b" else answer["of"])
            done, of = answer["done"], answer["of"]
    parts = page.show(sides)["parts"]
    assert parts["rows"].count(PREVIEW_NOTE) == 1 and parts["rows"].count("✕ not the same") == 12
    assert "next states right" in parts["tally"] and "actions right" not in parts["tally"]
    assert "data-ticket" in page.question(sides)["parts"]["question"]
    assert PREVIEW_NOTE in parts["health-b"] and not parts["health-a"]
    assert str(tmp_path) not in page.report(sides)["html"]
    with pytest.raises(SwirlError, match="only predicts next states"):
        page.look({**sides, "side": "b"})
    shared_models(tmp_path / "home").unload()
