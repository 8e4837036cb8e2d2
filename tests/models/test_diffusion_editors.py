"""Tiny random editing pipelines, saved and loaded again: their predictions, and the methods that they refuse."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import editing
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from swirl import pictures
from swirl.cli import main
from swirl.errors import SwirlError
from swirl.models import Prediction, load_world_model, resolve_checkpoint
from swirl.models.checkpoints import checkpoint_kind
from swirl.models.families.diffusion_editors import DiffusionEditor, is_editor, load_editor
from swirl.settings import Settings
from swirl.states import State
from swirl.training.run_start import load_trainable_model as load_for_training

WIDE = State(picture=pictures.from_pixels(np.random.default_rng(0).integers(0, 256, (40, 70, 3), np.uint8)))


@pytest.fixture(scope="module", params=["pix2pix", "klein"])
def folder(request, tmp_path_factory: pytest.TempPathFactory) -> Path:
    build = {"pix2pix": editing.build_pix2pix, "klein": editing.build_klein}[request.param]
    return build(tmp_path_factory.mktemp("editor") / request.param)


@pytest.fixture(scope="module")
def editor(folder: Path) -> DiffusionEditor:
    """An editor with few steps at a small size, so that two cores suffice."""
    loaded = load_editor(folder, "cpu", side=64)
    loaded.settings = {**loaded.settings, "num_inference_steps": 2}
    return loaded


def seen(state: State) -> np.ndarray:
    return pictures.pixels(state.picture)


def test_next_states_have_the_frames_size_and_no_scores(editor: DiffusionEditor) -> None:
    found = editor.imagine(WIDE, "make it red", n=2, seed=3)
    assert [seen(prediction.state).shape for prediction in found] == [(40, 70, 3)] * 2
    assert [(prediction.score, prediction.log_prob) for prediction in found] == [(None, None)] * 2
    assert not np.array_equal(seen(found[0].state), seen(found[1].state))
    assert seen(found[0].state).std() > 1
    again = editor.imagine(WIDE, "make it red", n=1, seed=4)
    assert again[0] == found[1]  # the second of seed 3 is the first of seed 4


def test_frame_and_instruction_both_matter(editor: DiffusionEditor) -> None:
    black = State(picture=pictures.from_pixels(np.zeros((40, 70, 3), np.uint8)))
    reported: list[float] = []
    rows = editor.imagine_batch(
        [WIDE, WIDE, black], ["make it red", "zzz 9", "make it red"], progress=lambda part, _: reported.append(part)
    )
    assert reported == pytest.approx([1 / 3, 2 / 3, 1])
    assert not np.array_equal(seen(rows[0]), seen(rows[1]))
    assert not np.array_equal(seen(rows[0]), seen(rows[2]))
    assert editor.imagine_batch([WIDE], ["make it red"]) == rows[:1]


def test_the_shape_is_kept_while_editing(editor: DiffusionEditor) -> None:
    assert editor.working_size(70, 40) == (64, 64)  # no side below 64
    editor_at = DiffusionEditor(editor.pipeline, name="x", side=512)
    for width, height in ((480, 270), (64, 64), (512, 20)):
        wide, high = editor_at.working_size(width, height)
        assert max(wide, high) == 512 and min(wide, high) >= 64
        assert wide % editor_at.multiple == high % editor_at.multiple == 0
    assert editor_at.working_size(480, 270)[1] == pytest.approx(288, abs=editor_at.multiple)


@pytest.mark.parametrize(
    "ask",
    [
        lambda e: e.infer([(WIDE, WIDE)]),
        lambda e: e.forward_log_prob([WIDE], ["a"], [WIDE]),
        lambda e: e.inverse_log_prob([WIDE], [WIDE], ["a"]),
        lambda e: e.log_prob_without_state(["a"], [WIDE]),
        lambda e: e.suggest_actions(WIDE, n=2),
        lambda e: e.sample("fwm", [[1]], 1, None, answer="state"),
        lambda e: e.log_prob("fwm", [[1]], [[2]], answer="state"),
        lambda e: e.save(Path("nowhere"), with_base=True),
    ],
)
def test_what_needs_log_probabilities_is_refused(
    editor: DiffusionEditor, ask: Callable[[DiffusionEditor], object]
) -> None:
    with pytest.raises(SwirlError, match="is a diffusion editor") as caught:
        ask(editor)
    assert "\n" not in str(caught.value)
    assert editor.kind == "image" and not editor.is_trainable


def test_texts_are_refused(editor: DiffusionEditor) -> None:
    with pytest.raises(SwirlError, match="the state is a text"):
        editor.imagine(State("you are in hall."), "go")


def test_it_describes_what_was_loaded_and_frees_it(folder: Path) -> None:
    loaded = load_editor(folder, "cpu", "bfloat16")
    described = loaded.describe()
    assert described["name"] == str(folder) and described["device"] == "cpu" and described["precision"] == "bfloat16"
    assert described["parameters"] > 10_000 and described["trainable"] is False
    assert described["steps"] == (4 if folder.name == "klein" else 20)
    loaded.unload()
    assert not hasattr(loaded, "pipeline")


def test_folders_are_recognised_without_torch(folder: Path, tiny_base: Path) -> None:
    assert is_editor(folder) and is_editor(str(folder))
    assert not is_editor(tiny_base)
    assert not is_editor("no such thing")
    assert not is_editor("nobody/nothing")  # tests are offline, and it is not cached
    with pytest.raises(SwirlError, match=r"nobody/nothing has no model_index.json that this machine can reach"):
        load_editor("nobody/nothing", "cpu")
    code = (
        "import sys, swirl.models.families.diffusion_editors; "
        "print(*sorted({'torch', 'diffusers', 'transformers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_it_is_found_by_name_like_any_model(folder: Path, tmp_path: Path) -> None:
    assert resolve_checkpoint(tmp_path, str(folder)) == folder.resolve()
    assert checkpoint_kind(folder) == "image"
    found = load_world_model(tmp_path, str(folder), "cpu")
    assert isinstance(found, DiffusionEditor) and not found.is_trainable


def test_a_run_that_would_train_it_is_refused(folder: Path, tmp_path: Path) -> None:
    settings = Settings().replace({"model": str(folder), "device": "cpu"})
    with pytest.raises(SwirlError, match="is a diffusion editor: it can show next states but has no log-prob"):
        load_for_training(tmp_path, settings, None, "auto")


def test_a_missing_score_is_a_dash(monkeypatch, tmp_path: Path, capsys) -> None:
    class Scoreless:
        device = torch.device("cpu")

        def imagine(self, state: State, action: str, **_: object) -> list[Prediction]:
            return [Prediction(State(f"{state.text}, {action}"), None, None)]

    monkeypatch.setattr("swirl.models.loading.load_world_model", lambda *_, **__: Scoreless())
    asked = ["--home", str(tmp_path), "imagine", "any", "--state", "hall", "--action", "go"]
    assert main(asked) == 0
    assert capsys.readouterr().out == "–\thall, go\n"
    assert main([*asked, "--json"]) == 0
    (prediction,) = json.loads(capsys.readouterr().out)["predictions"]
    assert prediction == {"state": "hall, go", "score": None, "log_prob": None}


def test_a_safety_checker_is_not_loaded(tmp_path: Path) -> None:
    folder = editing.build_pix2pix(tmp_path / "checked")
    index = json.loads((folder / "model_index.json").read_text())
    index["safety_checker"] = ["stable_diffusion", "StableDiffusionSafetyChecker"]
    index["feature_extractor"] = ["transformers", "CLIPImageProcessor"]
    index["requires_safety_checker"] = True
    (folder / "model_index.json").write_text(json.dumps(index))
    assert load_editor(folder, "cpu").pipeline.safety_checker is None


def weights(folder: Path, part: str) -> Path:
    return next((folder / part).glob("*.safetensors"))


def pickle_weights(folder: Path, part: str) -> None:
    file = weights(folder, part)
    pickled = "pytorch_model.bin" if part == "text_encoder" else "diffusion_pytorch_model.bin"
    torch.save(load_file(file), file.with_name(pickled))
    file.unlink()


def drop_weight(folder: Path, part: str) -> None:
    file = weights(folder, part)
    kept = load_file(file)
    del kept[sorted(kept)[3]]
    save_file(kept, file, metadata={"format": "pt"})


def rename_class(folder: Path, name: object) -> None:
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps({**index, "_class_name": name}))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda f: pickle_weights(f, "vae"), "cannot be loaded"),
        (lambda f: pickle_weights(f, "text_encoder"), "cannot be loaded"),
        (lambda f: weights(f, "vae").write_bytes(b"junk"), "cannot be loaded"),
        (lambda f: drop_weight(f, "vae"), "lacks weights (vae."),
        (lambda f: drop_weight(f, "text_encoder"), "lacks weights (text_encoder."),
        (lambda f: shutil.rmtree(f / "tokenizer"), "lacks the part tokenizer"),
        (lambda f: shutil.rmtree(f / "scheduler"), "lacks the part scheduler"),
        (lambda f: (f / "model_index.json").write_text("{"), "cannot be read as JSON"),
        (lambda f: (f / "model_index.json").write_text("[]"), "of the class None"),
        (lambda f: (f / "model_index.json").unlink(), "has no model_index.json"),
        (lambda f: rename_class(f, "StableDiffusionPipeline"), "of the class StableDiffusionPipeline"),
        (lambda f: rename_class(f, ["own_code", "Pipeline"]), "of the class"),
    ],
)
def test_a_spoilt_pipeline_is_named(folder: Path, tmp_path: Path, spoil, said: str) -> None:
    shutil.copytree(folder, tmp_path / "spoilt")
    spoil(tmp_path / "spoilt")
    with pytest.raises(SwirlError, match="spoilt") as caught:
        load_editor(tmp_path / "spoilt", "cpu")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
