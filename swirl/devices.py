"""The machine's cores, memory and GPUs, how busy they are, and which device a run gets. Does not import torch."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil

CPU = "cpu"
EVERY_GPU = "cuda"  # the device of a run that a launcher spreads over all GPUs
CGROUP = Path("/sys/fs/cgroup")
GPU_QUERY_FIELDS = ("index", "name", "utilization.gpu", "memory.used", "memory.total")
MEBIBYTE = 2**20
FRESH_SECONDS = 1.0  # CPU counters are not meaningful over shorter intervals
GPU_FRESH_SECONDS = 2.0
GPU_QUERY_TIMEOUT_SECONDS = 10.0
CPU_INFO = Path("/proc/cpuinfo")
# What Linux calls the instructions that multiply bfloat16 matrices: two of x86-64, one of ARM.
BFLOAT16_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})


@dataclass(frozen=True)
class Gpu:
    """One NVIDIA GPU: `utilization` from 0 to 1 (None if the driver does not report it), memory in bytes."""

    index: str
    name: str
    utilization: float | None
    memory_used: int
    memory_total: int


@dataclass(frozen=True)
class MachineLoad:
    """The machine's load: CPU utilization from 0 to 1 over about the last second, memory in bytes, and its GPUs."""

    cores: int
    cpu_utilization: float
    memory_used: int
    memory_total: int
    gpus: tuple[Gpu, ...] = ()


def gpus() -> tuple[Gpu, ...]:
    """The NVIDIA GPUs as `nvidia-smi` reports them now; empty if the tool is missing or fails."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return ()
    command = [tool, f"--query-gpu={','.join(GPU_QUERY_FIELDS)}", "--format=csv,noheader,nounits"]
    try:
        output = subprocess.run(
            command, capture_output=True, text=True, timeout=GPU_QUERY_TIMEOUT_SECONDS, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(gpu for line in output.splitlines() if (gpu := parse_gpu(line)) is not None)


def parse_gpu(line: str) -> Gpu | None:
    """One line of `nvidia-smi` output; None if it reports no memory, as for a GPU that is split into MIG slices."""
    parts = [part.strip() for part in line.split(",")]
    if len(parts) != len(GPU_QUERY_FIELDS) or not (parts[3].isdigit() and parts[4].isdigit()):
        return None
    utilization = int(parts[2]) / 100 if parts[2].isdigit() else None
    return Gpu(parts[0], parts[1], utilization, int(parts[3]) * MEBIBYTE, int(parts[4]) * MEBIBYTE)


def memory_usage() -> tuple[int, int]:
    """Bytes of main memory (used, total): of the container if it has its own limit, else of the machine."""
    memory = psutil.virtual_memory()
    used, total = memory.total - memory.available, memory.total
    try:
        limit = (CGROUP / "memory.max").read_text().strip()
        if limit.isdigit() and int(limit) < total:
            lines = (CGROUP / "memory.stat").read_text().splitlines()
            cached = next((int(line.split()[1]) for line in lines if line.startswith("inactive_file ")), 0)
            used, total = int((CGROUP / "memory.current").read_text()) - cached, int(limit)
    except OSError:
        return used, total  # this system has no cgroup limits
    return max(0, used), total


class OtherLoad:
    """Measures how many cores other processes keep busy, on average since it was last asked."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._asked_at, self._busy_seconds = time.monotonic(), self._others_busy_seconds()

    def busy_cores(self) -> float:
        """The cores that other processes have kept busy since the last call."""
        now, busy = time.monotonic(), self._others_busy_seconds()
        elapsed, used = now - self._asked_at, busy - self._busy_seconds
        self._asked_at, self._busy_seconds = now, busy
        return max(0.0, used / elapsed) if elapsed > 0 else 0.0

    def _others_busy_seconds(self) -> float:
        all_times, own = psutil.cpu_times(), self._process.cpu_times()
        waiting = all_times.idle + getattr(all_times, "iowait", 0.0)
        # A virtual machine's guests are counted twice: also as its user time.
        guests = getattr(all_times, "guest", 0.0) + getattr(all_times, "guest_nice", 0.0)
        return sum(all_times) - waiting - guests - own.user - own.system


class LoadMeter:
    """Caches the machine's load: measures it at most once a second, and the GPUs in a separate thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._load: MachineLoad | None = None
        self._gpus: tuple[Gpu, ...] = ()
        self._measured_at = self._gpus_queried_at = -GPU_FRESH_SECONDS
        psutil.cpu_percent()  # the first call only sets the reference point

    def current_load(self) -> MachineLoad:
        """The machine's load, at most a second old."""
        with self._lock:
            now = time.monotonic()
            if shutil.which("nvidia-smi") and now - self._gpus_queried_at >= GPU_FRESH_SECONDS:
                self._gpus_queried_at = now
                threading.Thread(target=self._query_gpus, daemon=True).start()
            if self._load is None or now - self._measured_at >= FRESH_SECONDS:
                self._measured_at = now
                self._load = MachineLoad(os.cpu_count() or 1, psutil.cpu_percent() / 100, *memory_usage(), self._gpus)
            return self._load

    def _query_gpus(self) -> None:
        self._gpus = gpus()


@cache
def shared_load_meter() -> LoadMeter:
    """The load meter that this process shares."""
    return LoadMeter()


@cache
def cpu_multiplies_bfloat16() -> bool:
    """Whether the CPU has instructions for products of bfloat16 matrices; False where no list of them can be read."""
    try:
        lines = CPU_INFO.read_text(encoding="utf-8").splitlines()
    except OSError:
        return False  # not Linux
    named = (line.partition(":") for line in lines)
    flags = next((value for name, _, value in named if name.strip().lower() in ("flags", "features")), "")
    return not BFLOAT16_FLAGS.isdisjoint(flags.split())


@cache
def _gpu_indices() -> tuple[str, ...]:
    return tuple(gpu.index for gpu in gpus())


def visible_gpu_devices() -> tuple[str, ...]:
    """The GPUs that this process may use, as `cuda:INDEX`; CUDA_VISIBLE_DEVICES is respected."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    known = _gpu_indices()
    if visible is not None and known:
        known = tuple(part.strip() for part in visible.split(",") if part.strip() not in ("", "-1"))
    return tuple(f"cuda:{index}" for index in known)


def usable_cores() -> int:
    """The CPU cores that this process may use, at least one."""
    affinity = getattr(os, "sched_getaffinity", None)  # missing on macOS and Windows
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def candidate_devices(wanted: str) -> tuple[str, ...]:
    """The devices that a run with the setting `device=wanted` may train on, best first.

    A device that this machine lacks becomes "cpu"; the run itself then reports the problem.
    """
    if wanted in ("auto", "cuda") and visible_gpu_devices():
        return visible_gpu_devices()
    apple = sys.platform == "darwin" and platform.machine() == "arm64"
    return ("mps",) if apple and wanted in ("auto", "mps") else (CPU,)


def restrict_to_gpu(slot: str | None) -> None:
    """Make the GPU of its slot the only one that this process sees. Call it before CUDA is first used."""
    if slot is not None and slot.startswith("cuda:") and len(visible_gpu_devices()) > 1:
        os.environ["CUDA_VISIBLE_DEVICES"] = slot.removeprefix("cuda:")
