"""Square matrix products, whose speed is what this machine can reach at most in a step's arithmetic."""

from __future__ import annotations

from pathlib import Path

import torch

from swirl.models.cpu_products import multiply
from swirl.models.placement import pick_device, pick_dtype
from swirl.runs.step_benchmark.step_control import StepControl
from swirl.runs.step_benchmark.workload import ModelSource, Workload

SIDE = {"cpu": 2048, "mps": 4096, "cuda": 8192}
"""Rows and columns: large enough for the peak, small enough to take about a second at most."""
PRODUCTS = 3
"""Products a turn, of which the fastest counts."""


def take_steps(workload: Workload, source: ModelSource, home: Path, scratch: Path, control: StepControl) -> None:
    """Some products a turn, in the number format of the model, until the benchmark ends."""
    device = pick_device(workload.device)
    side = SIDE[device.type]
    left, right = (torch.rand(side, side, device=device).to(pick_dtype(device, workload.precision)) for _ in range(2))
    multiply(left, right)
    while True:
        control.wait()
        for _ in range(PRODUCTS):
            control.parts.begin_step()
            with control.parts.time_part("update") as part:
                multiply(left, right)
            control.parts.finish_step()
            part.operations = 2 * side**3
        control.parts.steps[-PRODUCTS:] = [
            min(control.parts.steps[-PRODUCTS:], key=lambda step: step["update"].seconds)
        ]
