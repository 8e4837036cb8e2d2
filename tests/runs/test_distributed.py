"""Several processes of one launcher agree on the run without affecting other launches."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from swirl import processes
from swirl.errors import SwirlError
from swirl.history import History
from swirl.runs import distributed

ROOT = Path(__file__).parents[2]
LISTEN = (
    "import sys; from pathlib import Path; from swirl.runs import distributed;"
    "print(distributed.wait_for_run_id(Path(sys.argv[1])))"
)
ANNOUNCE = (
    "import sys, time; from pathlib import Path; from swirl.runs import distributed; time.sleep(0.5);"
    "distributed.announce(Path(sys.argv[1]), sys.argv[2])"
)
# A launcher: starts rank 0 and rank 1 and waits for both.
LAUNCH = (
    "import subprocess, sys\n"
    "started = [subprocess.Popen([sys.executable, '-c', code, *sys.argv[3:]]) for code in sys.argv[1:3]]\n"
    "sys.exit(max(process.wait() for process in started))"
)


def test_the_other_ranks_receive_the_run_id(tmp_path: Path) -> None:
    launches = [
        subprocess.Popen(
            [sys.executable, "-c", LAUNCH, LISTEN, ANNOUNCE, str(tmp_path), run],
            cwd=ROOT, stdout=subprocess.PIPE, text=True,
        )
        for run in ("household-01", "household-02")
    ]  # fmt: skip
    heard = [launch.communicate(timeout=240)[0].strip() for launch in launches]
    assert heard == ["household-01", "household-02"]


def test_an_announcement_can_be_removed(tmp_path: Path) -> None:
    distributed.announce(tmp_path, "household-01")
    assert distributed.wait_for_run_id(tmp_path) == "household-01"
    distributed.remove_announcement(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_without_a_launcher_there_is_only_rank_0(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in processes.RANK_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert (distributed.rank(), processes.world_size()) == (0, 1)


def test_a_launch_on_several_machines_needs_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUP_WORLD_SIZE", "2")
    with pytest.raises(SwirlError, match="SWIRL_LAUNCH"):
        distributed.announce(tmp_path, "household-01")


def test_another_machine_reads_a_copy_of_the_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUP_WORLD_SIZE", "2")
    monkeypatch.setenv("SWIRL_LAUNCH", "4242-0")
    history = History(tmp_path)
    run_id = history.create_run(preset=None, settings={"data": "household"})
    (tmp_path / "runs" / run_id).mkdir(parents=True)
    with distributed.readable_home(tmp_path) as home:
        assert home == tmp_path, "this is the machine of rank 0"
    distributed.announce(tmp_path, run_id)
    monkeypatch.setenv("GROUP_RANK", "1")
    assert distributed.wait_for_run_id(tmp_path) == run_id
    with distributed.readable_home(tmp_path) as home:
        assert home != tmp_path
        History(home).update_run(run_id, status="failed")
        (home / "runs" / run_id / "saved").touch()
    assert history.run(run_id).status == "queued"
    assert (tmp_path / "runs" / run_id / "saved").exists() and not home.exists()
    distributed.remove_announcement(tmp_path)
    assert not list(tmp_path.glob(".launch-*"))


def test_a_worker_started_from_a_rank_is_not_a_rank(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    code = (
        "import os; print(sorted(name for name in os.environ if 'RANK' in name or 'WORLD' in name or 'TORCHE' in name))"
    )
    pid, started = processes.spawn(["-c", code], tmp_path / "log.txt")
    process = processes.find_process(pid, started)
    if process is not None:
        process.wait(30)
    assert (tmp_path / "log.txt").read_text() == "[]\n"
