"""Out-of-memory errors and divergence end in a sentence with the settings to change; samples are drawn on request."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from small_runs import SMALL_RUN

from swirl.history import History, Run
from swirl.runs import jobs
from swirl.runs.scheduler import run_folder
from swirl.settings import Settings
from swirl.training.diagnostics import DivergenceDetector, DivergenceError, killed_error, memory_error
from swirl.training.rollouts import RolloutSampler
from swirl.training.schedule import PlannedPhase

SMALL = {**SMALL_RUN, "steps_per_phase": 3, "save_every": 10}


def train(home: Path, model: Path, *, ask: bool = False, **changes: Any) -> Run:
    """Train a few steps in this process and return the ended run."""
    settings = Settings().replace({**SMALL, "model": str(model), **changes})
    run_id = jobs.create_foreground_run(home, preset=None, settings=settings)
    if ask:
        History(home).add_request(run_id, "sample")
    jobs.train_in_foreground(home, run_id)
    return History(home).run(run_id)


def run_out_of_cpu_memory() -> None:
    """Make the CPU allocator raise its own error by asking for a petabyte."""
    torch.empty(2**50, dtype=torch.uint8).fill_(1)


def run_out_of_gpu_memory() -> None:
    raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


def raise_memory_error() -> None:
    raise MemoryError


@pytest.mark.slow
@pytest.mark.parametrize("fail", [run_out_of_gpu_memory, raise_memory_error, run_out_of_cpu_memory])
def test_memory_that_runs_out_names_the_settings(
    tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fail: Callable[[], None]
) -> None:
    monkeypatch.setattr(RolloutSampler, "__call__", lambda *_: fail())
    run = train(tmp_path, tiny_base)
    assert run.status == "failed"
    assert run.error == (
        "Out of memory in the forward phase on cpu: start another run like this with accumulation=4 (now 1; same "
        "result); otherwise lower group_size (2), batch_size (4), max_state_tokens (48)."
    )
    assert run.advised_changes == {"accumulation": 4}
    assert "Traceback" not in (run_folder(tmp_path, run.id) / "log.txt").read_text()


@pytest.mark.slow
def test_a_learning_rate_that_diverges_ends_in_advice(tmp_path: Path) -> None:
    run = train(tmp_path, Path("tiny-household"), learning_rate=1.0, max_grad_norm=1e6, steps_per_phase=12)
    assert run.status == "failed"
    assert re.search(
        r" at step \d+: start another run like this with learning_rate=0\.2 \(now 1\); otherwise ", run.error
    )
    assert "Traceback" not in (run_folder(tmp_path, run.id) / "log.txt").read_text()
    assert run.step < 12


def test_the_advice_fits_the_phase_and_its_overrides() -> None:
    settings = Settings().replace({"forward.batch_size": 6, "forward.accumulation": 2, "precision": "bfloat16"})
    error = memory_error(settings, "forward", "cuda:0")
    said = str(error)
    assert "with forward.accumulation=8 (now 2; same result); otherwise" in said and "precision 4bit" in said
    assert error.advised_changes == {"forward.accumulation": 8}
    assert "with group_size=4 (now 8); otherwise lower batch_size (1), " in str(
        memory_error(Settings(batch_size=1, accumulation=8), "inverse", "cpu")
    )
    assert "warm_up_batch_size=8 (now 16)" in str(memory_error(settings, "warm-up", "cpu"))
    loading = memory_error(settings, None, "cuda:0")
    assert "does not fit into the memory of cuda:0" in str(loading)
    assert loading.advised_changes == {"precision": "4bit"}
    assert memory_error(settings, None, "cpu").advised_changes == {}


def test_a_process_killed_for_its_memory_is_told_so(tmp_path: Path) -> None:
    history = History(tmp_path)
    run_id = history.create_run(preset=None, settings=Settings().to_dict())
    history.update_run(run_id, status="interrupted", device="cpu", memory_bytes=13_000_000_000, phase="inverse")
    error = killed_error(history.run(run_id), 16_000_000_000)
    assert error is not None and str(error).startswith("Its process was killed while it held 13.0 of 16.0 GB")
    assert "accumulation=4" in str(error) and error.advised_changes == {"accumulation": 4}
    assert killed_error(history.run(run_id), 64_000_000_000) is None


def detector(kind: str = "forward", **changes: Any) -> DivergenceDetector:
    return DivergenceDetector(PlannedPhase(1, 1, kind, 100), Settings().replace(changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["loss", "grad_norm"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_ends_a_phase(name: str, value: float) -> None:
    with pytest.raises(
        DivergenceError, match=r"forward phase became NaN or infinite at step 7: .* learning_rate=2e-05 \(now 0\.0001\)"
    ):
        detector().check(7, {"loss": 0.1, "grad_norm": 1.0} | {name: value})
    with pytest.raises(DivergenceError, match=r"warm_up_learning_rate=4e-06") as caught:
        detector("warm-up").check(7, {name: value})
    assert caught.value.advised_changes == {"warm_up_learning_rate": 4e-06}


def test_a_distance_that_explodes_ends_a_phase_and_a_single_leap_does_not() -> None:
    looking = detector(**{"forward.learning_rate": 0.5})
    for step, kl in enumerate((0.1, 40.0, 0.2, 12.0, 13.0)):
        looking.check(step, {"kl": kl})
    with pytest.raises(
        DivergenceError, match=r"14 nats per token away .* with forward\.learning_rate=0\.1 .* beta \(0\.1\)"
    ):
        looking.check(5, {"kl": 14.0})


def test_a_reward_that_collapses_ends_a_phase_and_a_noisy_one_does_not() -> None:
    looking = detector("inverse")
    for step in range(40):
        looking.check(step, {"reward": -0.5 - 3.0 * (step % 2)})
    with pytest.raises(DivergenceError, match=r"inverse phase's reward fell from -2\.0 to -7\.\d nats by step \d+"):
        for step in range(40, 60):
            looking.check(step, {"reward": -9.0})


def test_rewards_that_all_stand_at_the_clamp_end_a_phase() -> None:
    looking = detector()
    for step in range(30):  # at the clamp, but some groups differ, so there is something to learn from
        looking.check(step, {"reward": -10.0, "zero_variance": 0.9})
    with pytest.raises(DivergenceError, match=r"received the clamped reward, -10, .* reward_clamp=none") as caught:
        for step in range(30, 45):
            looking.check(step, {"reward": -10.0, "zero_variance": 1.0})
    assert caught.value.advised_changes == {"reward_clamp": None}


def weights(home: Path, run: Run) -> list[str]:
    files = sorted((run_folder(home, run.id) / "checkpoints").rglob("*.safetensors"))
    return [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]


@pytest.mark.slow
def test_samples_that_were_asked_for_are_shown_and_change_nothing(tiny_base: Path, tmp_path: Path) -> None:
    asked, plain = train(tmp_path / "a", tiny_base, ask=True), train(tmp_path / "b", tiny_base)
    assert (asked.status, plain.status) == ("finished", "finished")
    history = History(tmp_path / "a")
    assert history.pending_requests(asked.id) == []
    shown = history.rollouts(asked.id, asked=True)
    assert len(shown) == 2 and {(r.phase, r.step) for r in shown} == {(1, 1)}
    assert all(len(r.samples) == len(r.rewards) == 4 and r.action is not None for r in shown)
    assert history.rollouts(asked.id, phase=1, step=1) != [] and not set(shown) & set(history.rollouts(asked.id))
    assert weights(tmp_path / "a", asked) == weights(tmp_path / "b", plain) != []
