"""The trainer callback that records a run's metrics, rollouts and heartbeat, and that handles requests to the run."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_utils import rotate_checkpoints

from swirl.settings import Settings
from swirl.training.diagnostics import DivergenceDetector, DivergenceError, is_out_of_memory
from swirl.training.phase_probe import PhaseProbe
from swirl.training.run_computing import RunComputing
from swirl.training.run_progress import RunProgress, StopRequested
from swirl.training.schedule import PlannedPhase
from swirl.training.sharded_weights import whole_weights
from swirl.training.time_metrics import STEP_TIME

__all__ = ["METRIC_NAMES", "DivergenceError", "RunMonitor", "is_true_on_any_rank"]

KEPT_SAVES = 2
"""The saves of a trainer that stay on the disk: the last, and the one before in case the last is not complete."""

KEPT_LOGS = 1
"""The entries of a trainer's own log that stay in memory."""

log = logging.getLogger("swirl")

# trl's name of each metric that is recorded, and the name in the history.
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
    "server_gap": "server_gap",
    # The figures of extensions of the reward.
    "reference_total": "reference_total",
    "observed_likeness": "observed_likeness",
    "drift": "drift",
    "overlap": "overlap",
    "over_cap": "over_cap",
    "groups_skipped": "groups_skipped",
}


class PhaseEnded(Exception):
    """The phase must end before its next step: it has taken all of them, or its probe says that training does harm."""


class RunMonitor(TrainerCallback):
    """Records the progress of a phase in the history, and on a stop request saves and stops. Only rank 0 writes.

    `offset` counts the steps of this phase that an earlier trainer has done. `latest_rollouts` returns the rollouts to
    record after a step, `draw_requested_rollouts` samples new ones at a step when the user asks for them. `settings`
    are those of the whole run. With a `probe`, `ended_early` tells whether it has ended the phase.
    """

    def __init__(
        self,
        progress: RunProgress,
        phase: PlannedPhase,
        latest_rollouts: Callable[[], Sequence[dict[str, Any]]] = tuple,
        offset: int = 0,
        draw_requested_rollouts: Callable[[int], Sequence[dict[str, Any]]] | None = None,
        settings: Settings | None = None,
        computing: RunComputing | None = None,
        probe: PhaseProbe | None = None,
    ) -> None:
        self.computing, self.probe = computing, probe
        self.progress, self.phase = progress, phase
        self.history, self.run_id = progress.history, progress.run_id
        self.latest_rollouts, self.draw_requested_rollouts = latest_rollouts, draw_requested_rollouts
        self.divergence_detector = DivergenceDetector(phase, settings or Settings())
        self.offset = offset
        self.stopped = self.ended_early = False
        self.step_started_at = 0.0
        self.step_time = 0.0

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: torch.nn.Module | None = None,
        **_: Any,
    ) -> None:
        """Take the probe that is due before the first step, start the clock, and record a heartbeat.

        Raises StopRequested, on all ranks, if a stop is requested during the probe, and PhaseEnded on its advice, or if
        the save that training resumes from is that of the last step: the Trainer would take one step more.
        """
        if self.computing is not None:
            self.computing.start_phase()
        if self.probe is not None:
            stopped = False
            with whole_weights(model):
                try:
                    self.ended_early = self.probe.catch_up(state.global_step)
                except StopRequested:
                    stopped = True
                if is_true_on_any_rank(stopped):
                    raise StopRequested
                self.ended_early = is_true_on_any_rank(self.ended_early)
            if self.ended_early:
                raise PhaseEnded
        if state.global_step >= args.max_steps:
            raise PhaseEnded
        self.step_started_at = time.monotonic()
        if state.is_world_process_zero:
            self.record_heartbeat(state.global_step)

    def on_step_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: torch.nn.Module | None = None,
        **_: Any,
    ) -> None:
        """Record a heartbeat and handle requests; on a stop request all ranks save and stop together."""
        now = time.monotonic()
        elapsed, self.step_started_at = now - self.step_started_at, now
        self.step_time = self.progress.clock.record_step(self.phase.kind, elapsed)
        if self.probe is not None and self.probe.is_due(state.global_step):
            with whole_weights(model):
                self.probe_model(state.global_step, control)
        requests = self.history.pending_requests(self.run_id)
        if state.is_world_process_zero:
            self.record_heartbeat(state.global_step)
        if is_true_on_any_rank(state.is_world_process_zero and "sample" in requests):
            with whole_weights(model):
                if state.is_world_process_zero:
                    self.sample_on_request(state.global_step + self.offset)
            self.step_started_at = time.monotonic()  # the next step does not include this sampling
        if self.computing is not None and self.computing.after_step(elapsed):
            self.step_started_at = time.monotonic()  # nor does it include the measuring of threads
        if is_true_on_any_rank("stop" in requests):
            self.stopped = True
            control.should_training_stop = control.should_save = True

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Delete old saves, by their steps.

        The Trainer's own `save_total_limit` goes by the times of the folders, and deletes the newest saves after the
        clock was set back.
        """
        if state.is_world_process_zero:
            rotate_checkpoints(args.output_dir, KEPT_SAVES)

    def probe_model(self, step: int, control: TrainerControl) -> None:
        """Probe the model; all ranks wait for that, and end the phase together if the probe says so."""
        harmful = False
        # An interrupted probe is taken when the run goes on; the request to stop is handled after it.
        with suppress(StopRequested):
            harmful = self.probe is not None and self.probe.after_step(step)
        self.step_started_at = time.monotonic()  # the next step does not include this probe
        if is_true_on_any_rank(harmful):
            self.ended_early = control.should_training_stop = True

    def sample_on_request(self, step: int) -> None:
        """Sample the requested rollouts. If memory runs out here, the request fails but the run continues."""
        try:
            rows = self.draw_requested_rollouts(step) if self.draw_requested_rollouts else ()
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            log.warning("There is not enough memory to sample rollouts during training (%s).", error)
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
        """Record the metrics of a step. Raises DivergenceError if training has diverged."""
        # The Trainer keeps all that it has logged in memory and writes it into each save; the history has it already.
        del state.log_history[:-KEPT_LOGS]
        logs = logs or {}
        if "loss" not in logs:
            return  # the summary at the end of training
        values = {
            name: float(logs[key]) for key, name in METRIC_NAMES.items() if isinstance(logs.get(key), int | float)
        }
        self.divergence_detector.check(state.global_step + self.offset, values)
        if not state.is_world_process_zero:
            return
        if self.step_time:
            values[STEP_TIME] = self.step_time
        if "partner_total" in logs:
            values["bound"] = self.bound(logs)
        step = state.global_step + self.offset
        self.history.log_metrics(self.run_id, self.phase.index, step, values)
        rows = self.latest_rollouts()
        if rows:
            self.history.log_rollouts(self.run_id, self.phase.index, step, rows)

    def bound(self, logs: dict[str, Any]) -> float:
        """The objective that the method maximises, in nats per transition.

        Forward: E log Q(z | x, y'), the bound on I(Z; Y' | X) without its constant H(Z | X) (section 3.1). Inverse:
        the ELBO, E log P(y | x, z) - KL(Q || reference), the KL summed over the action's tokens (section 3.2).
        """
        total = float(logs["partner_total"])
        if self.phase.kind == "forward":
            return total
        return total - float(logs.get("kl") or 0.0) * float(logs.get("completions/mean_length") or 0.0)

    def record_heartbeat(self, step: int) -> None:
        """Record that the run is alive, its position and the estimated time left."""
        self.progress.record(self.phase, self.phase.kind, step + self.offset)


def is_true_on_any_rank(condition: bool) -> bool:
    """Whether the condition is true on any rank. Ranks read the database at different moments but must act alike."""
    if not torch.distributed.is_available() or not torch.distributed.is_initialized():
        return condition
    device = "cuda" if torch.distributed.get_backend() == "nccl" else "cpu"
    flag = torch.tensor([int(condition)], device=device)
    torch.distributed.all_reduce(flag, op=torch.distributed.ReduceOp.MAX)
    return bool(flag.item())
