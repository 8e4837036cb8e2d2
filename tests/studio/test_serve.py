"""The flags of launch.py, the port, the login."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlite_utils import Database

from studio import app, serve
from studio.serve import free_port, is_local, login
from swirl.errors import SwirlError, UsageError
from swirl.history import store

ROOT = Path(__file__).parents[2]


@pytest.fixture
def taken() -> int:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield holder.getsockname()[1]


def test_a_named_port_that_is_taken_is_one_clear_sentence(taken: int) -> None:
    with pytest.raises(SwirlError, match=f"Port {taken} is taken.*--port"):
        free_port("127.0.0.1", taken)


def test_an_unnamed_port_moves_to_the_next_free_one(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "PORT", taken)
    assert taken < free_port("127.0.0.1", None) < taken + serve.PORT_ATTEMPTS


def test_all_ports_taken_is_said(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "PORT", taken)
    monkeypatch.setattr(serve, "PORT_ATTEMPTS", 1)
    with pytest.raises(SwirlError, match="all taken"):
        free_port("127.0.0.1", None)


def test_no_port_and_no_address_are_wrong_usage() -> None:
    with pytest.raises(UsageError, match="1 to 65535"):
        free_port("127.0.0.1", 99999)
    with pytest.raises(UsageError, match="not an address"):
        free_port("203.0.113.7", 7999)


@pytest.mark.parametrize(
    ("host", "local"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("0.0.0.0", False), ("10.1.2.3", False)],
)
def test_only_loopback_is_local(host: str, local: bool) -> None:
    assert is_local(host) is local


def test_a_login_is_made_up_beyond_this_machine() -> None:
    assert login("127.0.0.1", None) is None
    assert login("127.0.0.1", "ann:secret:with colon") == ("ann", "secret:with colon")
    one, two = login("0.0.0.0", None), login("0.0.0.0", None)
    assert one and two and one[1] != two[1] and len(one[1]) >= 12
    for wrong in ("ann", ":x", "ann:"):
        with pytest.raises(UsageError, match="USER:PASSWORD"):
            login("127.0.0.1", wrong)


def test_exit_codes(taken: int, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert serve.serve(["--home", str(tmp_path), "--port", str(taken), "--no-browser"]) == 1
    assert serve.serve(["--home", str(tmp_path), "--port", "0"]) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2 and all(line.startswith("launch.py: ") for line in said)


@pytest.fixture
def quick_app(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The studio without its pages; the signal handlers are as before afterwards."""
    closing = SimpleNamespace(close=lambda verbose: None)
    for variable in ("GRADIO_TEMP_DIR", "FORWARDED_ALLOW_IPS"):  # as they were, afterwards
        monkeypatch.setenv(variable, "")
    monkeypatch.setattr(app, "build", lambda home, read_only: closing)
    monkeypatch.setattr(app, "launch", lambda studio, **options: None)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_does_not_interrupt_a_use_of_the_database(
    quick_app: None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    number: signal.Signals,
) -> None:
    begun, done = [], []

    def enable_wal(db: Database, seconds: float) -> None:
        begun.append(db)
        os.kill(os.getpid(), number)
        original(db, seconds)
        done.append(db)

    original = store.enable_wal
    monkeypatch.setattr(store, "enable_wal", enable_wal)
    assert serve.serve(["--home", str(tmp_path), "--no-browser"]) == 0
    assert begun == done != [] and "The studio has stopped." in capsys.readouterr().out


def test_a_signal_during_the_start_ends_it(
    quick_app: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    launched = []

    def build(home: Path, read_only: bool) -> SimpleNamespace:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(1.0)  # so that the thread that hears of the signal has its turn
        return SimpleNamespace(close=lambda verbose: None)

    monkeypatch.setattr(app, "build", build)
    monkeypatch.setattr(app, "launch", lambda studio, **options: launched.append(studio))
    assert serve.serve(["--home", str(tmp_path), "--no-browser"]) == 130
    assert not launched and "stopped before it was ready" in capsys.readouterr().err


@pytest.mark.slow
def test_it_serves_all_pages_and_leaves_at_a_signal(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "launch.py", "--no-browser", "--home", str(tmp_path), "--port", str(port)]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ}
    )
    try:
        assert process.stdout is not None
        first = process.stdout.readline()
        assert f"http://127.0.0.1:{port}" in first
        for page in ("", "play", "train", "compare", "runs"):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/{page}", timeout=90) as answer:
                assert answer.status == 200
        for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGINT):  # as a shell's process group may send them
            process.send_signal(number)
        said = process.communicate(timeout=90)[0]
        assert process.returncode == 0 and "Traceback" not in said and "stopped" in said, said
    finally:
        process.kill()
        process.wait()
