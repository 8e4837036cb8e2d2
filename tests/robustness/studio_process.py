"""A studio as a process of its own, without a browser, and what a page asks its server."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PATIENCE = 240.0


class StudioProcess:
    """`python launch.py` over a home; always at the same port, so that it can be killed and started again."""

    def __init__(self, home: Path, log: Path, environment: Mapping[str, str] | None = None) -> None:
        self.home, self.log, self.environment = home, log, {**os.environ, **(environment or {})}
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        self.functions: dict[str, int] = {}

    def start(self) -> None:
        """Start it and wait until it serves."""
        command = [sys.executable, "launch.py", "--no-browser", "--home", str(self.home), "--port", str(self.port)]
        with self.log.open("ab") as output:
            before = output.tell()
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output, env=self.environment)
        end = time.monotonic() + PATIENCE
        while b"SWIRL Studio is at" not in self.log.read_bytes()[before:]:
            assert self.process.poll() is None and time.monotonic() < end, self.log.read_text()
            time.sleep(0.1)
        config = json.loads(self.get("/config"))
        self.functions = {
            name: part["id"] for part in config["components"] for name in part["props"].get("server_fns") or ()
        }

    def get(self, path: str) -> bytes:
        """A page or a file."""
        with urllib.request.urlopen(self.url + path, timeout=PATIENCE) as answer:
            return answer.read()

    def ask(self, function: str, **request: Any) -> dict[str, Any]:
        """What a page's function on the server answers."""
        body = {"component_id": self.functions[function], "fn_name": function, "session_hash": "t", "data": request}
        posted = urllib.request.Request(
            f"{self.url}/gradio_api/component_server",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(posted, timeout=PATIENCE) as answer:
            return json.load(answer)

    def kill(self) -> None:
        """End it as a crash would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """End it as Ctrl-C does, which leaves it time to tidy up."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.kill()
