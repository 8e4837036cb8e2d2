"""A diffusion editor beside a model of pictures on the Play page: the real pipeline, tiny and random."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from studio.components.play.futures import PREVIEW_NOTE
from studio.pages.play import PlayPage
from swirl.errors import SwirlError
from swirl.models import loading
from swirl.models.families.diffusion_editors import load_editor
from tests.models.editing import build_pix2pix

ACTION = "move the red square up"


@pytest.mark.slow
def test_an_editor_beside_the_model_is_a_preview(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "load_editor", functools.partial(load_editor, side=64))  # 512 takes minutes
    folder = build_pix2pix(tmp_path / "editor")
    page = PlayPage(tmp_path / "home")
    state = page.begin({"data": "blocks", "sequence": "1", "step": "1"})["state"]
    asked = {"state": state, "action": ACTION, "n": 2, "seed": 0, "rival": str(folder)}
    answer = page.imagine(asked)
    assert [future["score"] for future in answer["rivals"]] == [None] * len(answer["rivals"]) != []
    html = answer["parts"]["futures"]
    assert PREVIEW_NOTE in html and html.count("data-by") == len(answer["rivals"])
    assert html.count('class="score"') == len(answer["futures"])
    path = {"nodes": [{"parent": None, "action": "", "state": state}], "at": 0}
    assert PREVIEW_NOTE in page.draw({**answer, "path": path, "rival": str(folder)})["parts"]["futures"]
    with pytest.raises(SwirlError, match="nowhere"):
        page.imagine(asked | {"rival": "nowhere"})
