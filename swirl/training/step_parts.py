"""Times the parts of a training step and counts their operations, for `swirl benchmark`.

The parts are disjoint: time of an inner part is not counted for the outer one, and what no part claims is the rest.
A recorder that is switched off does next to nothing.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from transformers import Trainer, TrainerCallback

from swirl.models.cpu_products import HAS_ONEDNN

PartName = Literal["sampling", "partner", "reference", "update", "rest"]
PARTS: tuple[PartName, ...] = ("sampling", "partner", "reference", "update", "rest")


@dataclass
class PartRecord:
    """What one part of one step took; a part that is entered several times a step is added up."""

    seconds: float = 0.0
    tokens: int = 0
    """Tokens of answers that the part sampled, scored or trained on; prompts are not counted."""
    operations: int = 0
    """Floating-point operations of its matrix products and attention, if they were counted (`count_operations`)."""


class StepParts:
    """Records the parts of training steps in `steps`, one dictionary a step.

    `begin_step` and `finish_step` enclose a step; outside of them nothing is recorded. `with time_part("partner", n):`
    records a part that scores n tokens; where their number is known only afterwards, the block adds it to the record
    that it gets. `start_update(n)` needs no block: the update goes on until the step is finished, interrupted by other
    parts.

    With `count_operations`, the floating-point operations of the next steps are counted as well. That slows them, so a
    step that is timed should not be counted.
    """

    def __init__(self, *, enabled: bool = True) -> None:
        self.enabled = enabled
        self.count_operations = False
        self.steps: list[dict[PartName, PartRecord]] = []
        self._open: list[PartName] = []  # innermost part last; empty between steps
        self._current: dict[PartName, PartRecord] = {}
        self._seconds_before = 0.0
        self._operations_before = 0
        self._counter: Any = None

    def begin_step(self) -> None:
        """Start a step; its time belongs to the rest until a part begins."""
        if not self.enabled:
            return
        self._current = {name: PartRecord() for name in PARTS}
        self._open = ["rest"]
        if self.count_operations:
            self._counter = operation_counter()
            self._counter.__enter__()
        self._operations_before = 0
        synchronize()
        self._seconds_before = time.perf_counter()

    @contextmanager
    def time_part(self, name: PartName, tokens: int = 0) -> Iterator[PartRecord]:
        """Record the block as a part of this step; yields its record, to add tokens to."""
        if not self._open:
            yield PartRecord()
            return
        record = self._current[name]
        record.tokens += tokens
        self._charge()
        self._open.append(name)
        try:
            yield record
        finally:
            if self._open:  # empty if the step was finished inside of the block
                self._charge()
                self._open.pop()

    def start_update(self, tokens: int = 0) -> None:
        """From here to the end of the step, whatever is no other part is the update; calling it again adds tokens."""
        if not self._open:
            return
        self._charge()
        self._open[0] = "update"
        self._current["update"].tokens += tokens

    def finish_step(self) -> None:
        """End the step and add it to `steps`."""
        if not self._open:
            return
        self._charge()
        self._open = []
        if self._counter is not None:
            self._counter.__exit__(None, None, None)
            self._counter = None
        self.steps.append(self._current)

    def _charge(self) -> None:
        """Add the time and operations since the last call to the innermost open part."""
        synchronize()
        now, record = time.perf_counter(), self._current[self._open[-1]]
        record.seconds += now - self._seconds_before
        self._seconds_before = now
        if self._counter is not None:
            operations = self._counter.get_total_flops()
            record.operations += operations - self._operations_before
            self._operations_before = operations


def record_trainer_steps(trainer: Trainer, parts: StepParts) -> None:
    """Record each optimiser step of a trl trainer and, as its reference part, the passes of its model without gradient.

    trl calls the model itself in two cases only: with gradient for the loss, without for the reference. Sampling and
    the partner call the layers below it.
    """
    open_passes = ExitStack()

    def enter_pass(model: torch.nn.Module, args: Any, inputs: dict[str, Any]) -> None:
        labels = inputs.get("labels")
        if not torch.is_grad_enabled() and labels is not None:
            record = open_passes.enter_context(parts.time_part("reference"))
            record.tokens += int((labels != -100).sum())

    trainer.model.register_forward_pre_hook(enter_pass, with_kwargs=True)
    trainer.model.register_forward_hook(lambda *_: open_passes.close(), always_call=True)
    trainer.add_callback(StepRecorder(parts))


class StepRecorder(TrainerCallback):
    """Begins and finishes the steps of a recorder with those of a trainer."""

    def __init__(self, parts: StepParts) -> None:
        self.parts = parts

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        """Called before the first micro-batch of a step."""
        self.parts.begin_step()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """Called after the optimiser's step."""
        self.parts.finish_step()


def synchronize() -> None:
    """Wait for the GPU, if one is in use: its work is queued, so that the clock would run ahead of it."""
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.synchronize()


def operation_counter() -> Any:
    """torch's counter of floating-point operations, which by itself does not know attention or oneDNN on a CPU.

    It counts what is computed, rows of zeros included (`cpu_products.rounded_rows`): at most an eighth more from 128
    rows on.
    """
    from torch.utils import flop_counter

    def forward(query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
        return flop_counter.sdpa_flop_count(query, key, value)

    def backward(gradient: Any, query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
        return flop_counter.sdpa_backward_flop_count(gradient, query, key, value)

    def product(x: Any, weight: Any, *_: Any, **__: Any) -> int:
        return 2 * math.prod(x) * weight[0]

    operators = torch.ops.aten
    counts = {
        operators._scaled_dot_product_flash_attention_for_cpu: forward,
        operators._scaled_dot_product_flash_attention_for_cpu_backward: backward,
    }
    if HAS_ONEDNN:
        counts[torch.ops.mkldnn._linear_pointwise] = product
    return flop_counter.FlopCounterMode(display=False, custom_mapping=counts)
