"""With which version and on which machine something was measured."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

import psutil

from swirl import devices
from swirl.version import __version__

PACKAGE_PARENT = Path(__file__).resolve().parents[3]
GIBIBYTE = 2**30


def code_version() -> str:
    """The version of the package; in a git checkout with its commit, marked if files differ from it."""
    if not (PACKAGE_PARENT / ".git").exists():
        return __version__
    command = ["git", "-C", str(PACKAGE_PARENT), "describe", "--always", "--dirty", "--exclude", "*"]
    try:
        commit = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return __version__
    return f"{__version__} ({commit})"


def machine_name(device: str) -> str:
    """The processor with its cores, memory and PyTorch's release; on CUDA also the GPU."""
    from importlib.metadata import version

    parts = [f"{processor_name()}, {os.cpu_count()} cores", f"{psutil.virtual_memory().total / GIBIBYTE:.0f} GiB"]
    if device == "cuda":
        parts += [gpu.name for gpu in devices.gpus()[:1]]
    return ", ".join([*parts, f"torch {version('torch')}"])


def processor_name() -> str:
    """The processor's model as the system names it."""
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
