"""Before a run starts, the check says whether it fits into memory and which settings make it fit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from swirl import devices
from swirl.cli.output import Output
from swirl.cli.run_settings import warn_if_memory_short
from swirl.history import History
from swirl.models.model_sizes import PUBLISHED_SHAPES, estimate_phase_memory, estimate_run_memory
from swirl.paths import assets
from swirl.presets import PRESETS
from swirl.settings import Settings
from swirl.training import memory_check
from swirl.training.memory_check import longest_state_tokens, model_shape

GIGABYTE = 10**9


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch):
    """gpu(GB): one GPU with that much memory."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    def put(gigabytes: int) -> None:
        monkeypatch.setattr(devices, "_gpu_indices", lambda: ("0",))
        monkeypatch.setattr(devices, "gpus", lambda: (devices.Gpu("0", "A GPU", 0.0, 0, gigabytes * GIGABYTE),))

    return put


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_gpu_indices", lambda: ())
    monkeypatch.setattr(devices, "memory_usage", lambda: (4 * GIGABYTE, 24 * GIGABYTE))


def test_the_shipped_model_fits_and_its_sizes_are_read_from_its_files(tmp_path: Path, no_gpu: None) -> None:
    household = model_shape(tmp_path, "tiny-household")
    weights = sum(file.stat().st_size for file in (assets() / "tiny-household" / "base").glob("*.safetensors"))
    assert household is not None and household.parameters * 4 == pytest.approx(weights, rel=0.02)
    blocks = model_shape(tmp_path, "tiny-blocks")
    assert blocks is not None and (blocks.codebook_size, blocks.frame_tokens) == (128, 16)
    found = memory_check.check_memory(tmp_path, PRESETS["tiny-household"].settings)
    assert found is not None and (found.device, found.fits, found.is_tight, found.suggested_changes) == (
        "cpu",
        True,
        False,
        {},
    )
    assert found.available_bytes == 20 * GIGABYTE


def test_states_are_counted_with_the_models_own_tokenizer(tmp_path: Path) -> None:
    import torch

    from swirl.models.loading import load_base
    from swirl.sources.collections.catalog import load_sequences

    tokenizer = load_base(str(assets() / "tiny-household" / "base"), torch.device("cpu"), "float32")[1]
    states = [state.text for sequence in load_sequences(tmp_path, "household") for state in sequence.states]
    longest = max(map(len, tokenizer(sorted(set(states)), add_special_tokens=False).input_ids))
    found = longest_state_tokens(tmp_path, Settings())
    assert 0.8 * longest <= found <= longest
    assert longest_state_tokens(tmp_path, Settings(max_state_tokens=5)) == 5


def test_what_a_running_run_holds_counts_as_free(tmp_path: Path, no_gpu: None) -> None:
    history = History(tmp_path)
    run = history.create_run(preset=None, settings={})
    history.update_run(run, status="running", device="cpu", memory_bytes=3 * GIGABYTE)
    found = memory_check.check_memory(tmp_path, Settings())
    assert found is not None and found.available_bytes == 23 * GIGABYTE


def test_too_large_a_run_is_brought_down_by_settings_that_are_named(tmp_path: Path, gpu) -> None:
    gpu(12)
    settings = Settings().replace({"model": "Qwen/Qwen2.5-3B-Instruct", "batch_size": 64, "max_state_tokens": 1024})
    found = memory_check.check_memory(tmp_path, settings)
    assert found is not None and found.device == "cuda:0" and not found.fits
    assert set(found.suggested_changes) == {"accumulation"} and found.fits_after_changes
    assert found.bytes_after_changes < found.needed.total
    again = memory_check.check_memory(tmp_path, settings.replace(found.suggested_changes))
    assert again is not None and again.needed.total == found.bytes_after_changes and again.suggested_changes == {}


def test_weights_that_do_not_fit_are_not_talked_small(tmp_path: Path, gpu) -> None:
    gpu(4)
    found = memory_check.check_memory(tmp_path, Settings(model="Qwen/Qwen2.5-3B-Instruct"))
    assert found is not None and not found.fits and not found.fits_after_changes


def test_overrides_of_a_phase_are_changed_where_they_stand(tmp_path: Path, gpu) -> None:
    gpu(4)
    settings = Settings().replace(
        {
            "model": "Qwen/Qwen2.5-0.5B-Instruct",
            "forward.batch_size": 1,
            "forward.group_size": 2,
            "inverse.batch_size": 256,
            "inverse.accumulation": 1,
        }
    )
    found = memory_check.check_memory(tmp_path, settings)
    assert found is not None and set(found.suggested_changes) >= {"inverse.accumulation"}
    assert "accumulation" not in found.suggested_changes


def test_the_estimate_of_a_run_is_that_of_its_most_demanding_phase() -> None:
    shape, settings = PUBLISHED_SHAPES["deepseek-community/Janus-Pro-7B"], PRESETS["janus-pro-7b"].settings
    forward, inverse = (estimate_phase_memory(shape, settings, way, "cuda:0", 0) for way in ("forward", "inverse"))
    assert inverse.total == forward.total  # the cache of sampling decides, and the rows are equally long
    assert estimate_run_memory(shape, settings) == ("forward", forward)
    on_cpu = estimate_phase_memory(shape, settings.replace({"precision": "float32"}), "forward", "cpu", 0)
    assert on_cpu.weights > 2 * shape.parameters * 2 + 2 * shape.vision_parameters


def test_a_model_of_unknown_size_is_not_guessed(tmp_path: Path) -> None:
    assert memory_check.check_memory(tmp_path, Settings(model="somebody/something")) is None


def test_it_needs_no_torch() -> None:
    modules = "swirl.training.memory_check, swirl.training.diagnostics, swirl.devices"
    code = f"import sys, {modules}; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"


def test_the_command_line_warns_and_names_the_settings(tmp_path: Path, gpu, capsys: pytest.CaptureFixture[str]) -> None:
    gpu(12)
    settings = Settings().replace({"model": "Qwen/Qwen2.5-3B-Instruct", "batch_size": 64, "max_state_tokens": 1024})
    warn_if_memory_short(tmp_path, settings, Output(as_json=True))
    said = capsys.readouterr()
    assert said.out == "" and "but 12.0 GB are available on cuda:0; --set accumulation=" in said.err
    warn_if_memory_short(tmp_path, Settings(), Output(as_json=True))
    assert capsys.readouterr().err == ""
