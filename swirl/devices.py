"""What this machine has and how busy it is: cores, memory, GPUs, and which of them can hold a run. No torch here."""

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

EVERY_GPU = "cuda"  # the device of a run whose launcher spreads it over all of them
CGROUP = Path("/sys/fs/cgroup")
QUERY = ("index", "name", "utilization.gpu", "memory.used", "memory.total")
MEBIBYTE = 2**20
FRESH_SECONDS = 1.0  # the system's own counters say nothing of shorter times
GPU_FRESH_SECONDS = 2.0
GPU_PATIENCE_SECONDS = 10.0


@dataclass(frozen=True)
class Gpu:
    """One NVIDIA GPU: `busy` from 0 to 1 (None where its driver does not say), memory in bytes."""

    index: str
    name: str
    utilization: float | None
    memory_used: int
    memory_total: int


@dataclass(frozen=True)
class MachineLoad:
    """How busy the machine is: the cores from 0 to 1 in the last second or so, memory in bytes, and its GPUs."""

    cores: int
    cpu_utilization: float
    memory_used: int
    memory_total: int
    gpus: tuple[Gpu, ...] = ()


def gpus() -> tuple[Gpu, ...]:
    """The NVIDIA GPUs as their driver's own tool sees them now; none where it is missing or fails."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return ()
    asked = [tool, f"--query-gpu={','.join(QUERY)}", "--format=csv,noheader,nounits"]
    try:
        said = subprocess.run(asked, capture_output=True, text=True, timeout=GPU_PATIENCE_SECONDS, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(found for line in said.splitlines() if (found := parse_gpu(line)) is not None)


def parse_gpu(line: str) -> Gpu | None:
    """One line of the tool's table; None where it does not tell the memory, as of a GPU that is cut into slices."""
    parts = [part.strip() for part in line.split(",")]
    if len(parts) != len(QUERY) or not (parts[3].isdigit() and parts[4].isdigit()):
        return None
    busy = int(parts[2]) / 100 if parts[2].isdigit() else None
    return Gpu(parts[0], parts[1], busy, int(parts[3]) * MEBIBYTE, int(parts[4]) * MEBIBYTE)


def memory_usage() -> tuple[int, int]:
    """Bytes of main memory in use and in all: the container's where it has a limit of its own, else the machine's."""
    whole = psutil.virtual_memory()
    used, total = whole.total - whole.available, whole.total
    try:
        limit = (CGROUP / "memory.max").read_text().strip()
        if limit.isdigit() and int(limit) < total:
            lines = (CGROUP / "memory.stat").read_text().splitlines()
            cached = next((int(line.split()[1]) for line in lines if line.startswith("inactive_file ")), 0)
            used, total = int((CGROUP / "memory.current").read_text()) - cached, int(limit)
    except OSError:
        return used, total  # no such limits on this system
    return max(0, used), total


class LoadMeter:
    """The machine's load, cheap to ask for: measured at most once a second, the GPUs in a thread of their own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._load: MachineLoad | None = None
        self._gpus: tuple[Gpu, ...] = ()
        self._measured = self._asked = -GPU_FRESH_SECONDS
        psutil.cpu_percent()  # from here on the first figure counts

    def current_load(self) -> MachineLoad:
        """The load as it is, or was a second ago."""
        with self._lock:
            now = time.monotonic()
            if shutil.which("nvidia-smi") and now - self._asked >= GPU_FRESH_SECONDS:
                self._asked = now
                threading.Thread(target=self._ask_gpus, daemon=True).start()
            if self._load is None or now - self._measured >= FRESH_SECONDS:
                self._measured = now
                self._load = MachineLoad(os.cpu_count() or 1, psutil.cpu_percent() / 100, *memory_usage(), self._gpus)
            return self._load

    def _ask_gpus(self) -> None:
        self._gpus = gpus()


@cache
def shared_load_meter() -> LoadMeter:
    """The meter of this process."""
    return LoadMeter()


@cache
def _gpu_indices() -> tuple[str, ...]:
    return tuple(gpu.index for gpu in gpus())


def visible_gpu_devices() -> tuple[str, ...]:
    """The GPUs that this process may use, as `cuda:INDEX`; CUDA_VISIBLE_DEVICES has the last word."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    known = _gpu_indices()
    if visible is not None and known:
        known = tuple(part.strip() for part in visible.split(",") if part.strip() not in ("", "-1"))
    return tuple(f"cuda:{index}" for index in known)


def candidate_devices(wanted: str) -> tuple[str, ...]:
    """The devices on one of which a run with the setting `device=wanted` will train, the best first.

    What is asked for and not here is sent to the processor, where the run says so itself.
    """
    if wanted in ("auto", "cuda") and visible_gpu_devices():
        return visible_gpu_devices()
    apple = sys.platform == "darwin" and platform.machine() == "arm64"
    return ("mps",) if apple and wanted in ("auto", "mps") else ("cpu",)


def restrict_to_gpu(slot: str | None) -> None:
    """Let this process see the GPU of its slot alone. To be called before CUDA is first used."""
    if slot is not None and slot.startswith("cuda:") and len(visible_gpu_devices()) > 1:
        os.environ["CUDA_VISIBLE_DEVICES"] = slot.removeprefix("cuda:")
