"""Trainers in processes of their own: they take turns, do the same work, and leave nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest

from swirl.errors import SwirlError, UsageError
from swirl.history import History
from swirl.processes import peak_process_memory
from swirl.runs.step_benchmark.comparison import compare, prepare, summarise
from swirl.runs.step_benchmark.workload import Workload
from swirl.training.step_parts import PARTS

SMALL = {"prompts": 2, "group_size": 2, "new_tokens": 6, "device": "cpu"}


def workers_of_this_process() -> list[psutil.Process]:
    """The benchmark's own child processes; tests before this one may have left others, such as Python's fork server."""
    return [child for child in psutil.Process().children() if "swirl.runs.step_benchmark.worker" in child.cmdline()]


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders are made."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_all_trainers_do_the_same_work(direction: str, tmp_path: Path, scratch: Path) -> None:
    shown: list[str] = []
    result = compare(
        tmp_path,
        Workload("tiny-household", direction, **SMALL),
        ["trl", "plain"],
        progress=lambda fraction, message: shown.append(message),
    )
    assert result["title"].startswith(f"tiny-household, {direction} phase, 2 prompts × G 2, ")
    assert result["steps"] == 3
    assert result["matrix_product_operations_per_second"] > 1e9
    assert list(result["trainers"]) == ["swirl", "trl", "plain"]
    answer_tokens = 4 * (6 if direction == "forward" else 16)
    for name, trainer in result["trainers"].items():
        parts = trainer["parts"]
        assert tuple(parts) == PARTS
        for part in ("sampling", "reference", "update"):
            assert parts[part]["tokens"] == answer_tokens, (name, part)
            assert parts[part]["operations"] > 0, (name, part)
            assert 0 < parts[part]["share_of_peak"] < 1, (name, part)
        assert 50e6 < trainer["idle_memory_bytes"] < trainer["peak_memory_bytes"]
        assert len(trainer["step_seconds_all"]) == 3
    partner_tokens = [trainer["parts"]["partner"]["tokens"] for trainer in result["trainers"].values()]
    assert max(partner_tokens) < 1.1 * min(partner_tokens)  # an action's text may have other tokens than were sampled
    for name, ratio in result["ratios"].items():
        ours, other = result["trainers"]["swirl"], result["trainers"][name]
        assert ratio["times_faster"] == other["step_seconds"] / ours["step_seconds"]
    turns = [message for message in shown if message.startswith("step 2 of 4")]
    assert [message.rpartition(": ")[2] for message in turns] == ["matrix products", "swirl", "trl", "plain"]
    json.dumps(result)
    assert list(scratch.iterdir()) == []
    assert workers_of_this_process() == []


@pytest.mark.slow
def test_frames_without_reference(tiny_pictures: Path, tmp_path: Path, scratch: Path) -> None:
    sizes = {**SMALL, "new_tokens": 0}
    result = compare(tmp_path, Workload(str(tiny_pictures), "forward", **sizes, beta=0.0), ["plain"])
    assert result["workload"]["data"] == "blocks"
    for trainer in result["trainers"].values():
        assert trainer["parts"]["sampling"]["tokens"] == 4 * 16
        assert trainer["parts"]["reference"]["tokens"] == 0


@pytest.mark.parametrize(
    ("changes", "against", "steps", "message"),
    [
        ({}, [], 3, "--steps must be at least 4, not 3"),
        ({"data": "blocks"}, [], 4, "'blocks' has image states, and tiny-household is a model of text states"),
        ({"data": "nowhere"}, [], 4, "There is no collection 'nowhere'"),
        ({"model": "liquid-64"}, ["trl"], 4, "Stock trl takes prompts of words only, and liquid-64 draws images"),
        ({"model": "tiny-blocks", "new_tokens": 3}, [], 4, "always has 16 tokens; leave out --new-tokens 3"),
        ({"model": "nobody"}, [], 4, "There is no checkpoint 'nobody'"),
    ],
)
def test_what_cannot_run_is_said_before_anything_starts(changes, against, steps, message, tmp_path, scratch) -> None:
    workload = Workload(**{"model": "tiny-household", "direction": "forward", "device": "cpu", **changes})
    with pytest.raises(SwirlError, match=message.replace("(", r"\(")) as raised:
        compare(tmp_path, workload, against, steps=steps)
    assert isinstance(raised.value, UsageError) or "There is no" in message
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize(("model", "precision"), [("tiny-household", "float32"), ("liquid-64", "float32")])
def test_the_number_format_is_that_of_training(model: str, precision: str, tmp_path: Path) -> None:
    workload, _ = prepare(tmp_path, Workload(model, "forward", device="cpu"), (), tmp_path)
    assert workload.precision == precision


def test_a_large_model_is_measured_in_the_format_that_this_processor_is_fast_in(
    tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("swirl.models.placement.prefers_bfloat16_on_cpu", lambda parameters: parameters > 0)
    workload, _ = prepare(tmp_path, Workload(str(tiny_base), "forward", device="cpu"), (), tmp_path)
    assert workload.precision == "bfloat16"


@pytest.mark.slow
def test_a_trainer_that_fails_is_named_with_its_reason(tiny_base: Path, tmp_path: Path, scratch: Path) -> None:
    folder = tmp_path / "broken"
    folder.mkdir()
    for file in tiny_base.iterdir():
        (folder / file.name).write_bytes(file.read_bytes() if file.suffix != ".safetensors" else b"not weights")
    with pytest.raises(SwirlError, match=r"The trainer 'swirl' could not take a step: The model .*broken cannot be"):
        compare(tmp_path, Workload(str(folder), "forward", **SMALL))
    assert list(scratch.iterdir()) == []
    assert workers_of_this_process() == []


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopping_leaves_nothing_behind(number: int, tmp_path: Path) -> None:
    scratch, home = tmp_path / "scratch", tmp_path / "home"
    scratch.mkdir()
    command = [sys.executable, "-m", "swirl", "--home", str(home), "benchmark", "--model", "liquid-64", "--steps", "50"]
    running = subprocess.Popen(
        command, env={**os.environ, "TMPDIR": str(scratch)}, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert running.stderr
    for line in running.stderr:  # at most one line a second is shown
        if " of 50: " in line and "step 1 of 50" not in line:
            break
    children = psutil.Process(running.pid).children()
    assert len(children) == 2
    running.send_signal(number)
    started = time.monotonic()
    _, rest = running.communicate(timeout=60)
    assert time.monotonic() - started < 15
    assert running.returncode == 1
    assert rest.strip().endswith("swirl: Interrupted.")
    assert not any(child.is_running() for child in children)
    assert list(scratch.glob("swirl-benchmark-*")) == []
    assert History(home).step_benchmarks() == []


def test_the_first_step_and_outliers_do_not_count_in_the_medians() -> None:
    def step(seconds: float, peak: int) -> dict[str, object]:
        parts = {name: {"seconds": 0.0, "tokens": 0, "operations": 0} for name in PARTS}
        parts["sampling"] = {"seconds": seconds, "tokens": 30, "operations": 0}
        return {"step": parts, "peak_memory_bytes": peak, "idle_memory_bytes": 100}

    counted = {name: {"seconds": 0.0, "tokens": 0, "operations": 6 * (name == "sampling")} for name in PARTS}
    workload = Workload("m", "forward", prompts=2, group_size=3)
    found = summarise([step(2.0, 300), step(9.0, 400), step(3.0, 500)], counted, workload, peak=4.0)
    assert found["step_seconds"] == 3.0
    assert found["step_seconds_all"] == [2.0, 9.0, 3.0]
    assert found["rollouts_per_second"] == 2.0
    assert (found["peak_memory_bytes"], found["memory_above_idle_bytes"]) == (500, 400)
    assert found["parts"]["sampling"] == {
        "seconds": 3.0,
        "tokens": 30,
        "tokens_per_second": 10.0,
        "operations": 6,
        "share_of_peak": 0.5,
    }


def test_peak_memory_is_that_of_the_process_alone() -> None:
    block = bytearray(300_000_000)
    block[::4096] = b"x" * len(block[::4096])
    assert peak_process_memory() > 300e6
    code = "from swirl.processes import peak_process_memory; print(peak_process_memory())"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 5e6 < int(child.stdout) < 200e6
