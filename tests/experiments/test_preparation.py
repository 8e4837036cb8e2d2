"""The starts that come with the program: each loads here, and does what its file says that it did where it was made."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from swirl import paths
from swirl.experiments import preparation
from swirl.experiments.preparation import PUBLISHED_STARTS, prepare_start
from swirl.models.loading import load_world_model
from swirl.recipes.tiny_models import RECIPES, START_FILE
from swirl.recipes.tiny_recipes import START_REGIMES, regime_recipe
from swirl.recipes.tiny_stages import score_stage

STARTS = sorted(folder.name for folder in (paths.assets() / PUBLISHED_STARTS).iterdir())


def silent(share: float, words: str = "") -> None:
    """No progress."""


def test_every_regime_has_its_start() -> None:
    assert sorted(f"{model}-{regime}" for model in RECIPES for regime in START_REGIMES) == STARTS


@pytest.mark.parametrize("name", STARTS)
def test_a_published_start_is_what_its_file_says(name: str, tmp_path: Path) -> None:
    model = next(model for model in RECIPES if name.startswith(f"{model}-"))
    regime = name.removeprefix(f"{model}-")
    start = prepare_start(tmp_path, model, regime, silent)
    made = json.loads((start / START_FILE).read_text())
    assert (made["model"], made["regime"]) == (model, regime)
    last, scores = list(made["scores"].items())[-1]
    found = score_stage(load_world_model(tmp_path, str(start)), regime_recipe(model, regime), last)
    for metric in ("forward/exact_match", "inverse/equivalent"):
        assert found[metric] == pytest.approx(scores[metric], abs=0.02)


def test_what_is_not_published_is_built_and_what_is_here_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[tuple[str, str]] = []

    def build(model: str, regime: str, out: Path, **options: object) -> None:
        built.append((model, regime))
        out.mkdir(parents=True)

    monkeypatch.setattr("swirl.recipes.tiny_models.build_start", build)
    monkeypatch.setattr(preparation, "PUBLISHED_STARTS", "nowhere")
    for _ in range(2):
        start = prepare_start(tmp_path, "tiny-blocks", "noisy", silent)
        assert start == tmp_path / "experiments" / "starts" / "tiny-blocks-noisy" and start.is_dir()
    assert built == [("tiny-blocks", "noisy")]
