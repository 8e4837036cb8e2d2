"""Chooses the number of CPU threads by measuring a short pass of the model, again while other work comes and goes.

More threads are not always faster: a small model is done before a second thread has started, and beside other work
threads wait for each other. `swirl` has them sleep while they wait (OMP_WAIT_POLICY), which is read when torch is
imported. If OMP_NUM_THREADS is set, nothing is measured and that number is used.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from statistics import median
from typing import Any
from weakref import WeakKeyDictionary

import psutil
import torch

from swirl.models.token_sampling import SamplingConfig

DEFAULT_THREAD_COUNT = torch.get_num_threads()
FIXED_BY = "OMP_NUM_THREADS"

PASS_SECONDS = 0.1  # about how long one measured pass takes
FIRST_TOKENS, MAX_TOKENS, ROW_TOKENS = 16, 4096, 64  # of a pass: the first, the longest, and of each row
MAX_GROWTH = 8  # of a pass from one attempt at its length to the next
SAMPLED_TOKENS = 4  # that a pass samples one by one after each row
ROUNDS = 3  # passes with each number of threads, in turns; their median counts

# Fewer threads win if they take at most this many times as long; more must gain that much. Between the two nothing
# changes, or the number would swing to and fro.
WORTH_FEWER, WORTH_MORE = 1.05, 1.15
RECHECK_SECONDS = 120.0
MAX_MEASURING_SHARE = 0.01  # of the time, from the second measurement on
SLOW_STEP = 1.5  # times as long as steps have been since the last measurement: measure again at once,
MIN_RECHECK_SECONDS = 20.0  # but not more often than this


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
    """The median seconds of `work` with each number of threads; the calling thread's own number is restored."""
    seconds: dict[int, list[float]] = {count: [] for count in counts}
    with restored_thread_count():
        for _ in range(ROUNDS):
            for count in counts:
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
    """Keeps the number of threads that one model computes with. Call it from the thread that computes.

    `count` is that number, None on a GPU. A small model gets one thread for inference; its training is measured.
    """

    def __init__(self, model: Any, *, training: bool = False) -> None:
        self.model = model
        self.count: int | None = None
        self.is_measured = False
        self._measured_at = -math.inf
        self._measuring_seconds = 0.0
        self._step_seconds: float | None = None
        if model.device.type != "cpu":
            return
        self.count = DEFAULT_THREAD_COUNT
        if os.environ.get(FIXED_BY):
            return
        if getattr(model, "is_small", False) and not training:
            self.count = 1
        elif getattr(model, "is_trainable", False):
            self.is_measured = len(candidate_counts()) > 1

    def apply(self) -> None:
        """Set the calling thread's number, measuring it first if the last measurement is missing or old."""
        if self.is_measured and time.monotonic() - self._measured_at >= self._recheck_after(RECHECK_SECONDS):
            self._measure()
        torch.set_num_threads(self.count or DEFAULT_THREAD_COUNT)

    def after_step(self, seconds: float) -> bool:
        """Take in how long a training step took, and measure again if it is time. Returns whether it measured."""
        if not self.is_measured:
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

    def _recheck_after(self, seconds: float) -> float:
        """The seconds to wait between measurements, so that they take no more than their share of the time."""
        return max(seconds, self._measuring_seconds / MAX_MEASURING_SHARE)

    def _measure(self) -> None:
        started = time.monotonic()
        current = None if math.isinf(self._measured_at) else self.count
        seconds = measure_thread_counts(representative_pass(self.model), candidate_counts())
        self.count = choose_thread_count(seconds, current)
        self._measured_at = time.monotonic()
        self._measuring_seconds = self._measured_at - started
        self._step_seconds = None


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
