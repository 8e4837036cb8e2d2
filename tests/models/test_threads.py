"""The number of CPU threads depends on the size of the model."""

from __future__ import annotations

from pathlib import Path

import torch

from swirl.models import load_world_model, thread_count


def test_a_small_model_computes_with_one_thread(tiny_base: Path, tmp_path: Path) -> None:
    model = load_world_model(tmp_path, str(tiny_base), "cpu", "float32")
    assert model.is_small
    before = torch.get_num_threads()
    try:
        thread_count.set_threads_for_model_size(model.is_small)
        assert torch.get_num_threads() == 1
        thread_count.set_threads_for_model_size(False)
        assert torch.get_num_threads() == thread_count.DEFAULT_THREAD_COUNT
    finally:
        torch.set_num_threads(before)
