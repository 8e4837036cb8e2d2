"""Starts the process of one trainer and tells it when to take a step."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

from swirl.errors import SwirlError
from swirl.runs.step_benchmark.workload import ModelSource, Workload

PACKAGE_PARENT = Path(__file__).resolve().parents[3]
END_SECONDS = 10.0


class WorkerProcess:
    """One trainer in its own process, so that its peak memory is its own; idle unless it is told to take a step."""

    def __init__(self, trainer: str, workload: Workload, source: ModelSource, home: Path, scratch: Path) -> None:
        """Start the process; `scratch` is an existing folder."""
        self.trainer = trainer
        self.folder = scratch / trainer.replace(" ", "-")
        self.folder.mkdir()
        threads = str(workload.threads)
        environment = {
            **os.environ,
            "OMP_NUM_THREADS": threads,
            "MKL_NUM_THREADS": threads,
            "PYTHONPATH": os.pathsep.join(filter(None, [str(PACKAGE_PARENT), os.environ.get("PYTHONPATH")])),
        }
        self.log = self.folder / "log.txt"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "swirl.runs.step_benchmark.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                encoding="utf-8",
                env=environment,
                start_new_session=True,  # Ctrl-C reaches only the benchmark, which ends its workers
            )
        order = {
            "trainer": trainer,
            "workload": workload.to_dict(),
            "source": asdict(source),
            "home": str(home),
            "scratch": str(self.folder),
        }
        self._send(json.dumps(order))

    def __enter__(self) -> WorkerProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process: at once after an error, else by closing what it reads."""
        if kind is not None:
            self.process.kill()
        assert self.process.stdin and self.process.stdout
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def receive(self) -> dict[str, Any]:
        """The next document that the process sends. Raises SwirlError if it reports an error or ends."""
        assert self.process.stdout
        line = self.process.stdout.readline()
        document = json.loads(line) if line else {"error": self._last_words()}
        if "error" in document:
            raise SwirlError(f"The trainer {self.trainer!r} could not take a step: {document['error']}")
        return document

    def request(self, word: str) -> None:
        """Tell the process to take a step; `receive` returns its figures."""
        self._send(word)

    def _send(self, line: str) -> None:
        assert self.process.stdin
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        except BrokenPipeError as error:
            raise SwirlError(f"The trainer {self.trainer!r} could not take a step: {self._last_words()}") from error

    def _last_words(self) -> str:
        """Why the process ended without a report."""
        code = self.process.wait()
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        if code == -9:
            return "the system ended its process, probably for lack of memory; try fewer --prompts or a smaller model."
        return f"its process ended with code {code} ({lines[-1].strip() if lines else 'it printed nothing'})."
