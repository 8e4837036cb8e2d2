"""What a run tells of itself while it trains: figures, rollouts, heartbeat; and how it hears what is asked of it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

import psutil
import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from swirl.history import History
from swirl.settings import Settings
from swirl.training.diagnostics import DivergenceDetector, DivergenceError, is_out_of_memory
from swirl.training.schedule import PlannedPhase

__all__ = ["METRIC_NAMES", "DivergenceError", "RunMonitor", "is_true_on_any_rank", "memory_bytes"]

log = logging.getLogger("swirl")

# trl's names for what we keep, and ours.
METRIC_NAMES = {
    "loss": "loss",
    "grad_norm": "grad_norm",
    "learning_rate": "learning_rate",
    "reward": "reward",
    "reward_std": "reward_std",
    "frac_reward_zero_std": "zero_variance",
    "kl": "kl",
    "entropy": "entropy",
    "completions/mean_length": "completion_length",
    "completions/clipped_ratio": "cut_short",
    "anchor": "anchor",
}


def memory_bytes() -> int:
    """What this process holds on the accelerator, or in main memory when there is none."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_reserved())
    return int(psutil.Process().memory_info().rss)


class RunMonitor(TrainerCallback):
    """Writes a phase's progress into the history and turns a stop request into save-and-stop. Rank 0 only writes.

    `steps_after` are the optimiser steps of the phases still to come; `shown` gives the rollouts to keep, `asked` draws
    fresh ones at a step when somebody asked for them; `settings` are the whole run's.
    """

    def __init__(
        self,
        history: History,
        run_id: str,
        phase: PlannedPhase,
        steps_after: int,
        shown: Callable[[], Sequence[dict[str, Any]]] = tuple,
        offset: int = 0,
        asked: Callable[[int], Sequence[dict[str, Any]]] | None = None,
        settings: Settings | None = None,
    ) -> None:
        self.history, self.run_id, self.phase, self.latest_rollouts, self.draw_requested_rollouts = (
            history,
            run_id,
            phase,
            shown,
            asked,
        )
        self.divergence_detector = DivergenceDetector(phase, settings or Settings())
        self.steps_after, self.offset = steps_after, offset
        self.stopped = False
        self.last = 0.0
        self.step_time = 0.0

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Start the clock and show the phase at once, before its first step is done."""
        self.last = time.monotonic()
        if state.is_world_process_zero:
            self.beat(state.global_step)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Beat, and obey a stop request: save, then leave. Every rank reads the same row, so all stop together."""
        now = time.monotonic()
        elapsed, self.last = now - self.last, now
        self.step_time = elapsed if not self.step_time else 0.8 * self.step_time + 0.2 * elapsed
        requests = self.history.pending_requests(self.run_id)
        if state.is_world_process_zero:
            self.beat(state.global_step)
            if "sample" in requests:
                self.sample_on_request(state.global_step + self.offset)
                self.last = time.monotonic()  # what was drawn for people is no part of the next step
        if is_true_on_any_rank("stop" in requests):
            self.stopped = True
            control.should_training_stop = control.should_save = True

    def sample_on_request(self, step: int) -> None:
        """Draw the rollouts that were asked for. Memory that does not suffice for it costs the answer, not the run."""
        try:
            rows = self.draw_requested_rollouts(step) if self.draw_requested_rollouts else ()
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            log.warning("There is not enough memory to draw samples beside the training (%s).", error)
            rows = ()
        if rows:
            self.history.log_rollouts(self.run_id, self.phase.index, step, rows, asked=True)
        self.history.clear_requests(self.run_id, "sample")

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """Keep the step's figures; raise Diverged when they lead nowhere any more."""
        logs = logs or {}
        if "loss" not in logs:
            return  # the summary at the end
        values = {
            name: float(logs[key]) for key, name in METRIC_NAMES.items() if isinstance(logs.get(key), int | float)
        }
        self.divergence_detector.check(state.global_step + self.offset, values)
        if not state.is_world_process_zero:
            return
        if self.step_time:
            values["step_time"] = self.step_time
        if "partner_total" in logs:
            values["bound"] = self.bound(logs)
        step = state.global_step + self.offset
        self.history.log_metrics(self.run_id, self.phase.index, step, values)
        rows = self.latest_rollouts()
        if rows:
            self.history.log_rollouts(self.run_id, self.phase.index, step, rows)

    def bound(self, logs: dict[str, Any]) -> float:
        """What the method maximises, in nats a transition.

        Forward: E log Q(z | x, y'), the bound on I(Z; Y' | X) less its constant H(Z | X) (section 3.1). Inverse: the
        ELBO, E log P(y | x, z) - KL(Q || reference), the KL summed over the action's tokens (section 3.2).
        """
        total = float(logs["partner_total"])
        if self.phase.kind == "forward":
            return total
        return total - float(logs.get("kl") or 0.0) * float(logs.get("completions/mean_length") or 0.0)

    def beat(self, step: int) -> None:
        """Say that the run is alive and where it is."""
        step += self.offset
        left = None
        if self.step_time:
            left = self.step_time * (self.phase.steps - step + self.steps_after)
        self.history.heartbeat(
            self.run_id,
            phase=self.phase.kind,
            phase_index=self.phase.index,
            step=step,
            phase_steps=self.phase.steps,
            seconds_left=left,
            memory_bytes=memory_bytes(),
        )


def is_true_on_any_rank(here: bool) -> bool:
    """Whether any rank says so; ranks read the database at slightly different moments and must not part ways."""
    if not torch.distributed.is_available() or not torch.distributed.is_initialized():
        return here
    device = "cuda" if torch.distributed.get_backend() == "nccl" else "cpu"
    flag = torch.tensor([int(here)], device=device)
    torch.distributed.all_reduce(flag, op=torch.distributed.ReduceOp.MAX)
    return bool(flag.item())
