"""The trainer's side of a benchmark: it waits before each step until the benchmark tells it to go on."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, TextIO

import psutil
import torch
from transformers import TrainerCallback

from swirl.processes import peak_process_memory
from swirl.runs.step_benchmark.workload import COUNT_STEP, TAKE_STEP
from swirl.training.step_parts import StepParts


class StepControl(TrainerCallback):
    """Before each step, reports the last one and waits for the next turn; ends the process with its parent.

    Messages are lines: words from the benchmark, JSON documents to it.
    """

    def __init__(self, parts: StepParts, received: TextIO, sent: TextIO) -> None:
        self.parts, self.received, self.sent = parts, received, sent
        self.idle_memory = psutil.Process().memory_info().rss

    def send(self, document: dict[str, Any]) -> None:
        """Send one document to the benchmark."""
        self.sent.write(json.dumps(document) + "\n")
        self.sent.flush()

    def wait(self) -> None:
        """Report the step that has ended, if any, and wait. Raises SystemExit once the benchmark is gone or done."""
        if self.parts.steps:
            step = {name: asdict(record) for name, record in self.parts.steps[-1].items()}
            self.send({"step": step, **self.memory()})
        else:
            self.send({"ready": True, **self.memory()})
        word = self.received.readline().strip()
        if word not in (TAKE_STEP, COUNT_STEP):
            raise SystemExit(0)
        self.parts.count_operations = word == COUNT_STEP

    def memory(self) -> dict[str, int]:
        """Bytes: the peak of this process, what it took with all libraries but no model, and the peak on a GPU."""
        figures = {"peak_memory_bytes": peak_process_memory(), "idle_memory_bytes": self.idle_memory}
        if torch.cuda.is_available() and torch.cuda.is_initialized():
            figures["peak_gpu_memory_bytes"] = torch.cuda.max_memory_allocated()
        return figures

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        """A trainer is about to take a step."""
        self.wait()
