"""A studio as a process of its own, without a browser, and what a page asks its server."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PATIENCE = 240.0


class StudioProcess:
    """`python launch.py` over a home; always at the same port, so that it can be killed and started again."""

    def __init__(
        self,
        home: Path | None,
        log: Path,
        *,
        flags: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        runner: Sequence[str] = (),
    ) -> None:
        """`flags` are added to the command and `environment` to that of this process; `runner` goes before Python."""
        self.home, self.log = home, log
        self.flags, self.environment, self.runner = flags, environment or {}, runner
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        self.functions: dict[str, int] = {}
        self.components: dict[int, set[str]] = {}

    def start(self) -> None:
        """Start it and wait until it serves; without a login, also read which functions its pages have."""
        home = () if self.home is None else ("--home", str(self.home))
        command = [*self.runner, sys.executable, "launch.py", "--no-browser", *home, "--port", str(self.port)]
        environment = {**os.environ, **self.environment}
        with self.log.open("ab") as output:
            before = output.tell()
            self.process = subprocess.Popen(
                [*command, *self.flags], cwd=ROOT, stdout=output, stderr=output, env=environment
            )
        end = time.monotonic() + PATIENCE
        while b"SWIRL Studio is at" not in self.log.read_bytes()[before:]:
            assert self.process.poll() is None and time.monotonic() < end, self.log.read_text()
            time.sleep(0.1)
        try:
            config = json.loads(self.get("/config"))
        except urllib.error.HTTPError:
            return  # it asks for a login
        self.components = {part["id"]: set(part["props"].get("server_fns") or ()) for part in config["components"]}
        self.functions = {name: part for part, names in self.components.items() for name in names}

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

    def stop(self) -> None:
        """End it as Ctrl-C does, which leaves it time to tidy up."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it as a crash would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
