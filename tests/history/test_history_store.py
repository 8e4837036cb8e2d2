"""The database file: concurrent processes and threads, and errors of files and disks."""

from __future__ import annotations

import gc
import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from swirl.errors import SwirlError
from swirl.history import History, locking

WRITER = """
import sys
from pathlib import Path
from swirl.history import History
home, run_id, steps = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
print("ready", flush=True)
sys.stdin.readline()
history = History(home)
for step in range(steps):
    history.log_metrics(run_id, 0, step, {"reward": step, "kl": -step})
    history.heartbeat(
        run_id, phase="forward 1", phase_index=0, step=step, phase_steps=steps, seconds_left=0, memory_bytes=0
    )
"""


def start(code: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def together(processes: list[subprocess.Popen[str]]) -> None:
    """Start all of them at the same moment."""
    for process in processes:
        assert process.stdout and process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()


def end(processes: list[subprocess.Popen[str]]) -> None:
    for process in processes:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors


def test_two_processes_write_while_a_third_reads(tmp_path: Path) -> None:
    history = History(tmp_path)
    runs = [history.create_run(preset=None, settings={"data": data}) for data in ("one", "two")]
    processes = [start(WRITER, tmp_path, run_id, 150) for run_id in runs]
    together(processes)
    seen: dict[str, list[tuple[int, str]]] = {run_id: [] for run_id in runs}
    last = dict.fromkeys(runs, 0)
    alive = True
    while alive:
        alive = any(process.poll() is None for process in processes)
        for run_id in runs:
            for metric in history.metrics(run_id, after=last[run_id]):
                assert metric.id > last[run_id]
                last[run_id] = metric.id
                seen[run_id].append((metric.step, metric.name))
    end(processes)
    expected = [(step, name) for step in range(150) for name in ("reward", "kl")]
    for run_id in runs:
        assert seen[run_id] == expected
        assert history.run(run_id).step == 149


@pytest.mark.slow
def test_many_processes_may_create_the_same_home(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from swirl.history import History
import sqlite_utils
print("ready", flush=True)
sys.stdin.readline()
History(Path(sys.argv[1])).create_run(preset=None, settings={"data": "household"})
"""
    processes = [start(code, tmp_path / "new") for _ in range(5)]
    together(processes)
    end(processes)
    assert [run.id for run in History(tmp_path / "new").runs()] == [f"household-0{i}" for i in (5, 4, 3, 2, 1)]


def test_threads_share_one_history(tmp_path: Path) -> None:
    history = History(tmp_path)
    run_id = history.create_run(preset=None, settings={"data": "household"})
    failures: list[BaseException] = []

    def work(phase: int) -> None:
        try:
            for step in range(40):
                history.log_metrics(run_id, phase, step, {"loss": step})
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(phase,)) for phase in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(history.metrics(run_id)) == 160


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_opens_its_own_connection(tmp_path: Path) -> None:
    code = """
import os, sys
from pathlib import Path
from swirl.history import History
history = History(Path(sys.argv[1]))
run_id = history.create_run(preset=None, settings={"data": "household"})
child = os.fork()
if child == 0:
    for step in range(30):
        history.log_metrics(run_id, 1, step, {"loss": 1})
    os._exit(0)
for step in range(30):
    history.log_metrics(run_id, 0, step, {"loss": 1})
assert os.waitpid(child, 0)[1] == 0
assert len(history.metrics(run_id)) == 60
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_the_file_is_in_wal_mode_and_names_its_migrations(tmp_path: Path) -> None:
    History(tmp_path)
    connection = sqlite3.connect(tmp_path / "studio.db")
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    names = [name for (name,) in connection.execute("SELECT name FROM _sqlite_migrations ORDER BY id")]
    assert names[:2] == ["m001_runs", "m002_training"]
    connection.close()


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    history = History(tmp_path)
    run_id = history.create_run(preset=None, settings={"data": "household"})
    with pytest.raises(ValueError, match="could not convert"):
        history.log_metrics(run_id, 0, 1, {"loss": 1.0, "kl": "low"})  # type: ignore[dict-item]
    assert history.metrics(run_id) == []
    history.log_metrics(run_id, 0, 1, {"loss": 1.0})
    assert len(history.metrics(run_id)) == 1


def test_a_database_deleted_while_open_is_recreated(tmp_path: Path) -> None:
    history = History(tmp_path)
    history.create_run(preset=None, settings={"data": "household"})
    for file in tmp_path.glob("studio.db*"):
        file.unlink()
    assert history.runs() == []
    history.create_run(preset=None, settings={"data": "household"})
    assert len(History(tmp_path).runs()) == 1


@pytest.mark.parametrize("content", [b"this is no database, " * 100, b"SQLite format 3\0" + b"\xff" * 8000])
def test_a_damaged_file_gives_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "studio.db").write_bytes(content)
    with pytest.raises(SwirlError, match=r"studio\.db is damaged .* move it away") as caught:
        History(tmp_path)
    assert "\n" not in str(caught.value)
    assert (tmp_path / "studio.db").read_bytes() == content


def test_pages_overwritten_later_are_noticed(tmp_path: Path) -> None:
    history = History(tmp_path)
    run_id = history.create_run(preset=None, settings={"data": "household"})
    for step in range(300):
        history.log_metrics(run_id, 0, step, {f"figure {i}": i for i in range(10)})
    connection = sqlite3.connect(tmp_path / "studio.db")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    size = (tmp_path / "studio.db").stat().st_size
    with (tmp_path / "studio.db").open("r+b") as file:
        file.seek(4096 * 30)
        file.write(b"\xee" * (size - 4096 * 30))
    with pytest.raises(SwirlError, match="is damaged"):
        History(tmp_path).metrics(run_id)


def test_a_newer_schema_is_rejected(tmp_path: Path) -> None:
    History(tmp_path)
    connection = sqlite3.connect(tmp_path / "studio.db")
    connection.execute(
        "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('swirl', 'm999_dreams', 'then')"
    )
    connection.commit()
    connection.close()
    with pytest.raises(SwirlError, match=r"newer SWIRL Studio \(it has m999_dreams\); update"):
        History(tmp_path)


def test_a_long_lock_gives_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locking, "BUSY_SECONDS", 0.2)
    history = History(tmp_path)
    other = sqlite3.connect(tmp_path / "studio.db")
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(SwirlError, match="locked by another program"):
        history.create_run(preset=None, settings={})
    assert history.runs() == []
    other.rollback()
    other.close()
    history.create_run(preset=None, settings={})


def test_a_path_that_cannot_be_a_database(tmp_path: Path) -> None:
    (tmp_path / "studio.db").mkdir()
    with pytest.raises(SwirlError, match="cannot be written"):
        History(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(SwirlError, match="--home"):
        History(tmp_path / "file" / "home")


def test_a_full_database_gives_one_sentence_and_loses_nothing(tmp_path: Path) -> None:
    history = History(tmp_path)
    run_id = history.create_run(preset=None, settings={"data": "household"})
    with history._reading() as db:
        pages = db.execute("PRAGMA page_count").fetchone()[0]
        db.execute(f"PRAGMA max_page_count = {pages + 3}")
    with pytest.raises(SwirlError, match=r"studio\.db is full; free some space"):
        for step in range(1000):
            history.log_metrics(run_id, 0, step, {f"figure {i}": i for i in range(50)})
    assert len(history.metrics(run_id)) % 50 == 0
    with history._reading() as db:
        db.execute("PRAGMA max_page_count = 1000000")
    history.log_metrics(run_id, 1, 0, {"loss": 1.0})
    assert history.metrics(run_id)[-1].value == 1.0


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="only Linux lists the open files of a process")
def test_the_connection_of_a_thread_is_closed_with_it(tmp_path: Path) -> None:
    history = History(tmp_path)
    gc.disable()  # it would close them too, but only when it happens to run
    try:
        before = len(list(Path("/proc/self/fd").iterdir()))
        for _ in range(8):
            reader = threading.Thread(target=history.runs)
            reader.start()
            reader.join()
        # One stays: SQLite keeps it for the next connection while others hold locks on the file.
        assert len(list(Path("/proc/self/fd").iterdir())) <= before + 1
    finally:
        gc.enable()
