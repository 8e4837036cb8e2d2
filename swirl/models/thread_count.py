"""Chooses the number of CPU threads by measuring a short pass of the model, again while other work comes and goes.

More threads are not always faster: a small model is done before a second thread has started. Beside other work they are
slower by far, for a thread that waits for another keeps its core busy, and the other gets none. If OMP_NUM_THREADS is
set, nothing is measured and that number is used.
"""

from __future__ import annotations

import math
import os
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from statistics import median
from typing import Any
from weakref import WeakKeyDictionary

import psutil
import torch

from swirl import devices
from swirl.models.token_sampling import SamplingConfig

DEFAULT_THREAD_COUNT = torch.get_num_threads()
FIXED_BY = "OMP_NUM_THREADS"

PASS_SECONDS = 0.1  # about how long one measured pass takes
FIRST_TOKENS, MAX_TOKENS, ROW_TOKENS = 16, 4096, 64  # of a pass: the first, the longest, and of each row
MAX_GROWTH = 8  # of a pass from one attempt at its length to the next
SAMPLED_TOKENS = 4  # that a pass samples one by one after each row
ROUNDS = 3  # passes with each number of threads, in turns; their median counts
HOPELESS = 2.0  # times as long as the fastest pass: not worth another try

# Fewer threads win if they take at most this many times as long; more must gain that much. Between the two nothing
# changes, or the number would swing to and fro.
WORTH_FEWER, WORTH_MORE = 1.05, 1.15
RECHECK_SECONDS = 120.0
MAX_MEASURING_SHARE = 0.01  # of the time, from the second measurement on
SLOW_STEP = 1.5  # times as long as steps have been since the last measurement: measure again at once,
MIN_RECHECK_SECONDS = 20.0  # but not more often than this
LOOK_SECONDS = 2.0  # between looks at the load of other processes,
FIRST_LOOK_SECONDS = 0.25  # and from the beginning of a question that comes later to the first
TOLERATED_LOAD = 0.4  # of a core; from there on a thread makes room, since beside it others get only a part of one


def candidate_counts() -> list[int]:
    """The numbers of threads to compare: 1, 2, 4, … and that of the cores that this process may use."""
    cores = max(1, min(DEFAULT_THREAD_COUNT, psutil.cpu_count(logical=False) or DEFAULT_THREAD_COUNT))
    return sorted({*(2**power for power in range(cores.bit_length()) if 2**power <= cores), cores})


def representative_pass(model: Any) -> Callable[[], object]:
    """A pass of an AdaptedModel that scores and samples made-up rows, and takes about PASS_SECONDS.

    It leaves the weights and torch's global random numbers as they are.
    """
    adapter = model.adapter("fwm")
    generator = torch.Generator(model.device).manual_seed(0)
    sampling = SamplingConfig(max_tokens=SAMPLED_TOKENS)

    def build(tokens: int) -> Callable[[], object]:
        length = min(tokens, ROW_TOKENS)
        rows = [made_up_row(model, number, length) for number in range(max(1, tokens // length))]

        def work() -> None:
            model.log_prob(adapter, rows, rows, answer="action")
            model.sample(adapter, rows, 1, sampling, generator, answer="action")

        return work

    tokens = FIRST_TOKENS
    work = build(tokens)
    with restored_thread_count():
        torch.set_num_threads(1)  # never far slower than another number
        work()  # what is computed only once does not count
        while (seconds := time_once(work)) < PASS_SECONDS / 2 and tokens < MAX_TOKENS:
            tokens = min(MAX_TOKENS, round(tokens * min(MAX_GROWTH, PASS_SECONDS / seconds)))
            work = build(tokens)
    return work


def made_up_row(model: Any, number: int, length: int) -> list[int]:
    """Token ids of a text that differs from row to row, so that no row can share its pass with another."""
    return model.codec.encode(" ".join(str(number + offset) for offset in range(length)))[:length]


def time_once(work: Callable[[], object]) -> float:
    """The seconds that one call takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def measure_thread_counts(work: Callable[[], object], counts: Sequence[int]) -> dict[int, float]:
    """The median seconds of `work` with each number of threads; the calling thread's own number is restored.

    A number with which a pass took far longer than with another is not tried again.
    """
    seconds: dict[int, list[float]] = {count: [] for count in counts}
    with restored_thread_count():
        for _ in range(ROUNDS):
            for count in counts:
                fastest = min((taken for times in seconds.values() for taken in times), default=math.inf)
                if seconds[count] and min(seconds[count]) > HOPELESS * fastest:
                    continue
                torch.set_num_threads(count)
                seconds[count].append(time_once(work))
    return {count: median(times) for count, times in seconds.items()}


def choose_thread_count(seconds: Mapping[int, float], current: int | None = None) -> int:
    """The least number of threads that is about as fast as the fastest; `current` stays unless a change is worth it."""
    fastest = min(seconds.values())
    if current is None or current not in seconds:
        return min(count for count, taken in seconds.items() if taken <= WORTH_FEWER * fastest)
    fewer = [count for count, taken in seconds.items() if count < current and taken <= WORTH_FEWER * fastest]
    if fewer:
        return min(fewer)
    if seconds[current] <= WORTH_MORE * fastest:
        return current
    return min(count for count, taken in seconds.items() if taken <= WORTH_FEWER * fastest)


class ThreadTuner:
    """Keeps the number of threads that one model computes with suitable. Call it from the thread that computes.

    `count` is that number, None on a GPU. A small model gets one thread for inference; its training is measured. While
    others keep cores busy, fewer threads compute than were measured, at once: each layer of the model looks. With
    `cores`, the number is fixed to that and nothing is measured.
    """

    def __init__(self, model: Any, *, training: bool = False, cores: int | None = None) -> None:
        self._model = weakref.ref(model)
        self.count: int | None = None
        self._is_measured = self._is_measuring = False
        self._measured_at = self._looked_at = -math.inf
        self._measuring_seconds = 0.0
        self._step_seconds: float | None = None
        if model.device.type != "cpu":
            return
        self.count = self._measured_count = DEFAULT_THREAD_COUNT
        if os.environ.get(FIXED_BY):
            return
        if cores is not None:
            self.count = self._measured_count = min(cores, DEFAULT_THREAD_COUNT)
            return
        if getattr(model, "is_small", False) and not training:
            self.count = 1
        elif getattr(model, "is_trainable", False):
            self._is_measured = len(candidate_counts()) > 1
        if self._is_measured:
            self._others = devices.OtherLoad()
            for layer in decoder_layers(model.model):
                layer.register_forward_pre_hook(self._look)

    def apply(self) -> None:
        """Set the calling thread's number, measuring it first if the last measurement is missing or old."""
        if self._is_measured and time.monotonic() - self._measured_at >= self._recheck_after(RECHECK_SECONDS):
            self._measure()
        elif self._is_measured and time.monotonic() - self._looked_at >= LOOK_SECONDS:
            # What others did while nobody asked says little about now: a page that was opened keeps all cores busy.
            self._others.busy_cores()
            self._looked_at = time.monotonic() - LOOK_SECONDS + FIRST_LOOK_SECONDS
        torch.set_num_threads(self.count or DEFAULT_THREAD_COUNT)

    def after_step(self, seconds: float) -> bool:
        """Take in how long a training step took, and measure again if it is time. Returns whether it measured."""
        if not self._is_measured:
            return False
        usual = self._step_seconds
        self._step_seconds = seconds if usual is None else 0.8 * usual + 0.2 * seconds
        is_slow = usual is not None and seconds > SLOW_STEP * usual
        wait = self._recheck_after(MIN_RECHECK_SECONDS if is_slow else RECHECK_SECONDS)
        if time.monotonic() - self._measured_at < wait:
            return False
        self._measure()
        torch.set_num_threads(self.count or DEFAULT_THREAD_COUNT)
        return True

    def describe(self) -> str:
        """The number of threads in words, and who fixed it: `2 threads`, `1 thread (OMP_NUM_THREADS)`."""
        if self.count is None:
            return ""
        fixed = f" ({FIXED_BY})" if os.environ.get(FIXED_BY) else ""
        return f"{self.count} thread{'s' if self.count > 1 else ''}{fixed}"

    def _look(self, *_: Any) -> None:
        """Before a layer's pass: use no more threads than there are cores without other work."""
        now = time.monotonic()
        if self._is_measuring or now - self._looked_at < LOOK_SECONDS:
            return
        self._looked_at = now
        self.count = min(self._measured_count, self._free_cores())
        if torch.get_num_threads() != self.count:
            torch.set_num_threads(self.count)

    def _free_cores(self) -> int:
        """The cores without other work, at least one."""
        return max(1, math.floor((os.cpu_count() or 1) - self._others.busy_cores() + TOLERATED_LOAD))

    def _recheck_after(self, seconds: float) -> float:
        """The seconds to wait between measurements, so that they take no more than their share of the time."""
        return max(seconds, self._measuring_seconds / MAX_MEASURING_SHARE)

    def _measure(self) -> None:
        started = time.monotonic()
        current = None if math.isinf(self._measured_at) else self.count
        self._is_measuring = True
        try:
            work = representative_pass(self._model())
            free = self._free_cores()
            # More threads than free cores are slower by far, and take long to measure.
            counts = [count for count in candidate_counts() if count <= free]
            if len(counts) > 1:
                self._measured_count = choose_thread_count(measure_thread_counts(work, counts), current)
        finally:
            self._is_measuring = False
        self.count = min(self._measured_count, free)
        self._measured_at = time.monotonic()
        self._measuring_seconds = self._measured_at - started
        self._step_seconds = None


def decoder_layers(model: torch.nn.Module) -> list[torch.nn.Module]:
    """The layers of the language model: the members of lists of modules that contain adapters."""
    lists = [module for module in model.modules() if isinstance(module, torch.nn.ModuleList)]
    members = [member for modules in lists for member in modules]
    return [member for member in members if any("lora_A" in name for name, _ in member.named_modules())]


_tuners: WeakKeyDictionary[Any, ThreadTuner] = WeakKeyDictionary()


def set_threads_for_inference(model: Any) -> None:
    """Set the calling thread to the number of threads that suits a model, measured again if that is long ago."""
    _tuners.setdefault(model, ThreadTuner(model)).apply()


@contextmanager
def threads_for_inference(model: Any) -> Iterator[None]:
    """Apply `set_threads_for_inference` inside the block, then restore the previous number of threads."""
    with restored_thread_count():
        set_threads_for_inference(model)
        yield


@contextmanager
def restored_thread_count() -> Iterator[None]:
    """Restore the calling thread's number of threads after the block."""
    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)
