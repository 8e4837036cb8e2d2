"""A studio as its users have it: `python launch.py` in a process of its own, and `swirl` typed beside it."""

from __future__ import annotations

import json
import os
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests")]  # pytest does so by itself

from ended_runs import end_runs  # noqa: E402

from swirl.history import History, Run  # noqa: E402

PATIENCE = 300.0  # seconds; a busy machine is slow, not broken
SHORT_RUN = {
    "iterations": 1,
    "steps_per_phase": 12,
    "batch_size": 4,
    "group_size": 4,
    "held_out": 8,
    "save_every": 2,
}
"""Settings of a run that takes seconds and still has two phases, curves, rollouts and three checkpoints."""
T = TypeVar("T")


def until(look: Callable[[], T], what: str) -> T:
    """What `look` returns as soon as it is true; AssertionError that says `what` was waited for in vain."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"waited {PATIENCE:.0f} s in vain for: {what}")


class Outside:
    """The way out of this machine as the studio's environment shows it: a proxy that leads nowhere and remembers."""

    def __init__(self) -> None:
        asked: list[str] = []

        class Refusal(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                asked.append(self.rfile.readline(300).decode(errors="replace").strip())

        self.asked = asked
        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Refusal)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def environment(self) -> dict[str, str]:
        """Variables that make Python's web clients ask this proxy for every other machine."""
        address = f"http://127.0.0.1:{self.server.server_address[1]}"
        wanted = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), address) | {
            "no_proxy": "127.0.0.1,localhost"
        }
        return wanted | {name.upper(): value for name, value in wanted.items()}

    def close(self) -> None:
        """Give the port back."""
        self.server.shutdown()
        self.server.server_close()


class StudioServer:
    """A studio over `home`, always at the same address, so that a page can wait for it to come back."""

    def __init__(self, home: Path, outside: Outside, flags: Sequence[str] = ()) -> None:
        self.home = home
        self.flags = flags
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = home.parent / f"{home.name}-server.txt"
        self.environment = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"}
        self.environment |= outside.environment()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> float:
        """Start it and wait until it serves; the seconds that took."""
        begun = time.monotonic()
        flags = ["--home", str(self.home), "--port", str(self.port), "--no-browser", *self.flags]
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "launch.py", *flags],
                cwd=ROOT,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self.environment,
            )
        until(lambda: self._said("SWIRL Studio is at") or self.process.poll() is not None, "the studio to start")
        assert self._said("SWIRL Studio is at"), self.log.read_text(encoding="utf-8")
        return time.monotonic() - begun

    def _said(self, words: str) -> bool:
        return words in self.log.read_text(encoding="utf-8", errors="replace")

    def kill(self) -> None:
        """End it as a crash would: SIGKILL, nothing is tidied up."""
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        """End it as Ctrl C does, and every training process of its home."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()
        end_runs(self.home, grace=0.5)

    @property
    def history(self) -> History:
        """The history of its home, as another process reads it."""
        return History(self.home)

    def run(self) -> Run:
        """The newest run."""
        return self.history.runs()[0]

    def swirl(self, *arguments: str) -> Any:
        """Run `swirl … --json` on the same home; what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "swirl", "--home", str(self.home), *arguments, "--json"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            env=self.environment,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
