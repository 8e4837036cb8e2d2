"""How a run computes: its number format, its processes, and the threads that are measured; the run says all three."""

from __future__ import annotations

import logging
import time

from accelerate import Accelerator

from swirl.history import History
from swirl.models.placement import pick_device
from swirl.models.precision import describe_precision
from swirl.models.thread_count import ThreadTuner
from swirl.models.world_model import WorldModel
from swirl.settings import Settings
from swirl.training.parallelism import require_asked_parallelism

log = logging.getLogger("swirl")

SECONDS_BETWEEN_NOTES = 60.0  # the load of a machine may change every few seconds


def precision_for_run(history: History, run_id: str, settings: Settings) -> str:
    """The precision to load a run's model with: a resumed run keeps the one that it began with.

    Versions that recorded none trained in float32 on a CPU.
    """
    if settings.precision != "auto":
        return settings.precision
    recorded = history.run(run_id).precision
    if recorded is None and history.phases(run_id) and pick_device(settings.device).type == "cpu":
        return "float32"
    return recorded or settings.precision


class RunComputing:
    """Records how a run computes, and keeps its number of threads suitable; only rank 0 writes."""

    def __init__(
        self, history: History, run_id: str, world: WorldModel, settings: Settings, *, is_main_process: bool = True
    ) -> None:
        self.history, self.run_id, self.is_main_process = history, run_id, is_main_process
        self.tuner = ThreadTuner(world, training=True, cores=settings.cores)
        self.precision = "4bit" if settings.precision == "4bit" else world.describe()["precision"]
        self._recorded_count: int | None = None
        self._recorded_at = 0.0
        self._recorded_parallelism: str | None = None

    def start(self) -> None:
        """Choose the number of threads, and record it with the number format."""
        self.tuner.apply()
        self._record_threads()
        if self.is_main_process:
            self.history.update_run(self.run_id, precision=self.precision)
            log.info("%s", ", ".join(filter(None, (describe_precision(self.precision), self.tuner.describe()))))

    def record_parallelism(self, accelerator: Accelerator) -> None:
        """Record how the processes share the work. Raises ParallelismError if the launcher asked for something else."""
        parallelism = str(require_asked_parallelism(accelerator))
        if self.is_main_process and parallelism != self._recorded_parallelism:
            self._recorded_parallelism = parallelism
            self.history.update_run(self.run_id, parallelism=parallelism)
            log.info("%s", parallelism)

    def start_phase(self) -> None:
        """Measure again if the last measurement is old."""
        self.tuner.apply()
        self._say_if_changed()

    def after_step(self, seconds: float) -> bool:
        """Take in how long a step took. Returns whether time was spent on measuring again."""
        measured = self.tuner.after_step(seconds)
        self._say_if_changed()
        return measured

    def _say_if_changed(self) -> None:
        before = self._recorded_count
        if self.tuner.count != before and time.monotonic() - self._recorded_at >= SECONDS_BETWEEN_NOTES:
            log.info("%s from here on, %s before", self.tuner.describe(), before)
            self._record_threads()

    def _record_threads(self) -> None:
        self._recorded_count, self._recorded_at = self.tuner.count, time.monotonic()
        if self.is_main_process:
            self.history.update_run(self.run_id, threads=self.tuner.count)
