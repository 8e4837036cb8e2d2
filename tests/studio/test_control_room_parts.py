"""The control room's texts, and how the studio reacts when runs start, end and fail; no run trains here."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from studio.components.shared import header
from studio.components.shared.run_header import header_parts
from studio.components.train import control_room, start_form
from studio.components.train.requested_rollouts import requested_rollouts
from studio.server import background
from studio.services.history_store import history
from studio.services.inference import Models, shared_models
from studio.view_models.machine_meters import machine_meters, summarize_load
from studio.view_models.memory_verdict import memory_verdict
from studio.view_models.start_form import field_values
from studio.view_models.timeline import PhaseBand
from swirl import devices, processes
from swirl.devices import Gpu, MachineLoad
from swirl.models.memory_estimate import MemoryEstimate
from swirl.settings import Settings
from swirl.training import memory_check
from swirl.training.diagnostics import memory_error
from swirl.training.memory_check import MemoryFit

GIGABYTE = 10**9
PLAIN = str.maketrans({"\N{NO-BREAK SPACE}": " "})


def test_the_meters_show_the_machines_load() -> None:
    load = MachineLoad(2, 0.43, 3_100_000_000, 24 * GIGABYTE)
    assert [(m.name, m.figure.translate(PLAIN)) for m in machine_meters(load)] == [
        ("CPU", "43 %"),
        ("Memory", "3.1 of 24 GB"),
    ]
    assert summarize_load(load).translate(PLAIN) == "CPU 43 % · 3.1 of 24 GB"
    gpus = (Gpu("0", "Small", None, GIGABYTE, 8 * GIGABYTE), Gpu("1", "Large", 0.9, 70 * GIGABYTE, 72 * GIGABYTE))
    meters = machine_meters(MachineLoad(2, 1.0, GIGABYTE, 24 * GIGABYTE, gpus))
    assert [m.name.translate(PLAIN) for m in meters] == [
        "CPU",
        "Memory",
        "GPU 0",
        "GPU 0 memory",
        "GPU 1",
        "GPU 1 memory",
    ]
    assert [m.is_full for m in meters] == [False] * 5 + [True]  # a busy processor is no problem
    assert meters[2].figure == "unknown" and "GPU 90 %" in summarize_load(MachineLoad(2, 1.0, 1, 2, gpus)).translate(
        PLAIN
    )


def queued(home: Path, **changes: object) -> str:
    run = history(home).create_run(preset=None, settings=Settings().replace(dict(changes)).to_dict())
    history(home).move_to_queue_end(run)
    return run


def test_the_queue_lists_training_and_waiting_runs(home: Path) -> None:
    past = history(home)
    assert control_room.parts(home)["queue"] == ""
    first, second, third = queued(home), queued(home), queued(home)
    past.update_run(first, status="running", device="cpu")
    past.update_run(third, name="<b>")
    queue = control_room.parts(home)["queue"]
    assert queue.index(first) < queue.index(second) < queue.index(third)
    assert "2 runs waiting" in queue and "&lt;b&gt;" in queue and "<b><b>" not in queue
    assert queue.count(" disabled") == 2  # the first cannot move up, the last cannot move down


def test_the_end_of_a_watched_run_is_reported(home: Path) -> None:
    past = history(home)
    going, over = queued(home), queued(home)
    past.update_run(over, status="running")
    assert header.run_activity(home, [going, over]) == {"going": [over, going], "ended": []}
    past.update_run(over, status="failed", error="No space is left.")
    activity = header.run_activity(home, [going, over])
    assert activity["going"] == [going]
    assert activity["ended"] == [{"run": over, "title": f"{over}: failed", "body": "No space is left."}]
    assert header.run_activity(home, [])["ended"] == []


def test_a_failure_with_advice_links_to_the_advised_run(home: Path) -> None:
    settings = Settings()
    run = queued(home)
    error = memory_error(settings, "forward", "cpu")
    history(home).update_run(run, status="failed", error=str(error), advised_changes=error.advised_changes)
    failed = history(home).run(run)
    parts = header_parts(failed, settings, [], sequences=None, step_seconds=None, now=datetime.now(UTC))
    assert f"train?new=1&amp;from={run}&amp;set=accumulation=4" in parts["trouble"]
    assert "Start another run with accumulation=4" in parts["trouble"]
    opened = start_form.initial_form(home, {"from": run, "set": "accumulation=4"})
    assert opened["values"]["accumulation"] == "4"


def test_a_run_started_like_another_names_it_and_the_differences(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "spawn", lambda arguments, log: processes.current_process())
    first = queued(home, data="walks")
    values = field_values(Settings(data="walks", seed=5))
    differences = start_form.check_form(home, {"values": values, "from": first})["parts"]["unlike"]
    assert f'Like <a href="train?run={first}">' in differences and "<code>seed</code> 0 → <b>5</b>" in differences
    started = start_form.start_run(home, {"values": values, "from": first})["run"]
    assert history(home).run(started).parent == first


def test_a_run_that_does_not_fit_gets_settings_that_help(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needed = MemoryEstimate(30 * GIGABYTE, 0, 60 * GIGABYTE, 0, 0, 0)
    fit = MemoryFit("cuda:0", "forward", needed, 80 * GIGABYTE, {"accumulation": 8}, 40 * GIGABYTE)
    verdict = memory_verdict(fit)
    assert (verdict.tone, verdict.claim) == ("wrong", "Too large for this machine")
    assert "Setting accumulation=8 brings it down to 40.0 GB." in verdict.reason.translate(PLAIN)
    assert "Set accumulation=8</button>" in start_form.apply_fit_button(fit)
    assert start_form.apply_fit_button(None) == ""
    assert memory_verdict(None).claim == "Not known yet whether it fits"
    monkeypatch.setattr(devices, "memory_usage", lambda: (GIGABYTE, 2 * GIGABYTE))
    checked = start_form.check_form(home, {"values": field_values(Settings(data="walks", batch_size=512))})
    assert "Too large for this machine" in checked["parts"]["before"]
    assert memory_check.check_memory(home, Settings(data="walks")) is not None


def test_models_free_memory_before_a_run_takes_the_gpu_or_scarce_memory(
    home: Path, loaded: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder = Models(home)
    with holder.use("first"):
        pass
    monkeypatch.setattr(devices, "memory_usage", lambda: (GIGABYTE, 8 * GIGABYTE))
    holder.free_memory_for_device("cpu")
    assert holder.loaded() == ["first"]
    monkeypatch.setattr(devices, "memory_usage", lambda: (7 * GIGABYTE, 8 * GIGABYTE))
    holder.free_memory_for_device("cpu")
    assert holder.loaded() == [] and loaded[0].unloaded
    monkeypatch.setattr(devices, "_gpu_indices", lambda: ("0",))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(type(loaded[0]), "device", "cuda:0")
    with holder.use("second"):
        pass
    holder.free_memory_for_device("cpu")  # main memory is scarce, but the models do not use it
    assert holder.loaded() == ["second"]
    holder.free_memory_for_device("auto")
    assert holder.loaded() == []
    history(home).update_run(queued(home), status="running", device="cuda:0")
    assert holder._device_override() == {"device": "cpu"}


def test_models_free_memory_for_a_run_started_elsewhere(
    home: Path, loaded: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "memory_usage", lambda: (7 * GIGABYTE, 8 * GIGABYTE))
    with shared_models(home).use("first"):
        pass
    assert background.free_memory_for_new_runs(home, set()) == set() and shared_models(home).loaded() == ["first"]
    run = queued(home)
    history(home).update_run(run, status="running", device="cpu")
    assert background.free_memory_for_new_runs(home, set()) == {run} and shared_models(home).loaded() == []


def test_requested_rollouts_stay_beside_those_of_training(home: Path) -> None:
    run = queued(home)
    past = history(home)
    past.update_run(run, status="running")
    line = [PhaseBand(1, 1, "forward", 0, 10, "now")]
    assert requested_rollouts(home, past.run(run), line) == ""
    past.add_request(run, "sample")
    assert "after the current step" in requested_rollouts(home, past.run(run), line)
    row = {"state": "a", "next_state": "b", "action": "go", "samples": ["b"], "rewards": [-1.0], "advantages": [0.0]}
    past.log_rollouts(run, 1, 3, [row], asked=True)
    past.log_rollouts(run, 1, 3, [row])
    past.clear_requests(run, "sample")
    html = requested_rollouts(home, past.run(run), line)
    assert 'data-asked="3"' in html and "Sampled on request, step 3" in html and "data-sampling" not in html
