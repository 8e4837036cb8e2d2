"""The order of the queue and the devices that runs train on; no run really trains here."""

from __future__ import annotations

from pathlib import Path

import pytest

from swirl import devices, processes
from swirl.cli import main
from swirl.errors import SwirlError
from swirl.history import History
from swirl.runs import jobs
from swirl.settings import Settings


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home in which this process stands for all training processes."""
    monkeypatch.setattr(processes, "spawn", lambda arguments, log: processes.current_process())
    monkeypatch.setattr(devices, "_gpu_indices", lambda: ())
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return tmp_path


def start(home: Path, device: str = "auto") -> str:
    return jobs.start(home, preset=None, settings=Settings(device=device))


def waiting(home: Path) -> list[str]:
    return [run.id for run in History(home).queued_runs()]


def places(home: Path) -> dict[str, str | None]:
    return {run.id: run.device for run in History(home).training_runs()}


def end(home: Path, run_id: str) -> None:
    """End a run and launch the next one."""
    History(home).update_run(run_id, status="finished", pid=None, pid_started=None)
    jobs.reconcile(home)


def test_runs_wait_in_the_order_of_their_creation_and_can_be_moved(home: Path) -> None:
    first, a, b, c = (start(home) for _ in range(4))
    assert places(home) == {first: "cpu"} and waiting(home) == [a, b, c]
    assert jobs.move_in_queue(home, c, "first") == [c, a, b]
    assert jobs.move_in_queue(home, a, "down") == [c, b, a]
    assert jobs.move_in_queue(home, b, "up") == [b, c, a]
    assert jobs.move_in_queue(home, b, "up") == [b, c, a]
    assert jobs.move_in_queue(home, b, "last") == [c, a, b]
    assert waiting(home) == [c, a, b]
    end(home, first)
    assert places(home) == {c: "cpu"} and waiting(home) == [a, b]
    with pytest.raises(SwirlError, match=f"Run {c} is not in the queue; it is running"):
        jobs.move_in_queue(home, c, "up")


def test_a_new_and_a_resumed_run_go_to_the_end(home: Path) -> None:
    first, a, b = (start(home) for _ in range(3))
    jobs.move_in_queue(home, b, "first")
    jobs.stop(home, a)
    assert waiting(home) == [b]
    c = start(home)
    jobs.resume(home, a)
    assert waiting(home) == [b, c, a]
    assert History(home).run(first).status == "running"


def test_runs_of_an_older_version_wait_in_the_order_they_were_created(home: Path) -> None:
    history = History(home)
    old = [history.create_run(preset=None, settings=Settings().to_dict()) for _ in range(3)]
    assert waiting(home) == old
    history.reorder_queue([old[2], old[0], old[1]])
    assert waiting(home) == [old[2], old[0], old[1]]


def test_each_device_trains_one_run(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_gpu_indices", lambda: ("0", "1"))
    a, b, c, cpu, d = (start(home, device) for device in ("auto", "cuda", "auto", "cpu", "auto"))
    assert places(home) == {a: "cuda:0", b: "cuda:1", cpu: "cpu"} and waiting(home) == [c, d]
    end(home, b)
    assert places(home) == {a: "cuda:0", c: "cuda:1", cpu: "cpu"} and waiting(home) == [d]


def test_a_run_on_all_gpus_waits_for_all_and_is_not_overtaken(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_gpu_indices", lambda: ("0", "1"))
    a, b = start(home), start(home)
    monkeypatch.setenv("WORLD_SIZE", "2")
    wide = jobs.create_foreground_run(home, preset=None, settings=Settings())
    monkeypatch.delenv("WORLD_SIZE")
    c = start(home)
    end(home, a)
    assert places(home) == {b: "cuda:1"} and waiting(home) == [wide, c]
    end(home, b)
    assert places(home) == {wide: "cuda"} and waiting(home) == [c]


def test_a_process_sees_only_its_own_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_gpu_indices", lambda: ("0", "1", "2"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,2")
    assert devices.candidate_devices("auto") == ("cuda:1", "cuda:2")
    devices.restrict_to_gpu("cpu")
    assert devices.visible_gpu_devices() == ("cuda:1", "cuda:2")
    devices.restrict_to_gpu("cuda:2")
    assert devices.candidate_devices("cuda") == ("cuda:2",)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert devices.candidate_devices("cuda") == ("cpu",)


def test_samples_can_be_requested_only_from_a_running_run(home: Path) -> None:
    running, queued = start(home), start(home)
    jobs.request_samples(home, running)
    assert History(home).pending_requests(running) == ["sample"]
    with pytest.raises(SwirlError, match="is queued; only a running run"):
        jobs.request_samples(home, queued)


def test_the_command_line_shows_and_moves(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, a, b = (start(home) for _ in range(3))
    assert main(["--home", str(home), "queue", b, "up"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:3] for line in lines[1:]] == [
        ["-", first, "running"],
        ["1", b, "queued"],
        ["2", a, "queued"],
    ]
    assert main(["--home", str(home), "queue", first, "up"]) == 1
    assert "is not in the queue" in capsys.readouterr().err
    assert main(["--home", str(home), "queue", b]) == 2
    assert main(["--home", str(home), "sample", first]) == 0


def test_the_gpu_table_is_parsed_and_unknown_values_stay_unknown() -> None:
    assert devices.parse_gpu("0, NVIDIA H200, 87, 1024, 143771") == devices.Gpu(
        "0", "NVIDIA H200", 0.87, 2**30, 143771 * 2**20
    )
    found = devices.parse_gpu("1, A GPU, [N/A], 5, 10")
    assert found is not None and found.utilization is None
    assert devices.parse_gpu("2, MIG, [N/A], [N/A], [N/A]") is None
    assert devices.parse_gpu("no devices were found") is None


def test_the_load_is_that_of_this_machine() -> None:
    load = devices.LoadMeter().current_load()
    assert load.cores >= 1 and 0 <= load.cpu_utilization <= 1 and 0 < load.memory_used < load.memory_total


def test_runs_that_take_some_cores_train_side_by_side(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "usable_cores", lambda: 3)
    one, other, two, whole, last = (
        jobs.start(home, preset=None, settings=Settings(cores=cores)) for cores in (1, 1, 2, None, 1)
    )
    # A core is left, but the run that is next needs two, and none overtakes it on the device that it waits for.
    assert places(home) == {one: "cpu", other: "cpu"} and waiting(home) == [two, whole, last]
    end(home, one)
    assert places(home) == {other: "cpu", two: "cpu"} and waiting(home) == [whole, last]
    end(home, other)
    end(home, two)
    assert places(home) == {whole: "cpu"} and waiting(home) == [last]
    end(home, whole)
    assert places(home) == {last: "cpu"} and waiting(home) == []


def test_a_run_that_asks_for_more_cores_than_there_are_gets_all(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "usable_cores", lambda: 2)
    first, second = (jobs.start(home, preset=None, settings=Settings(cores=64)) for _ in range(2))
    assert places(home) == {first: "cpu"} and waiting(home) == [second]


def test_cores_do_not_matter_on_a_gpu(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_gpu_indices", lambda: ("0",))
    monkeypatch.setattr(devices, "usable_cores", lambda: 4)
    gpu, next_gpu = (jobs.start(home, preset=None, settings=Settings(cores=1)) for _ in range(2))
    cpu, next_cpu = (jobs.start(home, preset=None, settings=Settings(device="cpu", cores=1)) for _ in range(2))
    assert places(home) == {gpu: "cuda:0", cpu: "cpu", next_cpu: "cpu"} and waiting(home) == [next_gpu]
